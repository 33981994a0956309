"""Memory: find the pairs, in few moves."""

from django.utils.translation import gettext, ngettext

from loyalty.kit.problems import Problem
from loyalty.play.game_definition import GameDocument, GamePrizeDocument, Plays
from loyalty.play.game_part import CARDS, Turn, game_parts
from loyalty.play.memories import MemoryParameters
from loyalty.play.ticketed import Ticketed


@game_parts.register("memory")
class Memory(Ticketed):
    """The cards lie on the server; a browser only ever sees those that were turned."""

    parameters = MemoryParameters
    style = CARDS
    conditions = frozenset({"moves", "per_person"})
    needs_odds = False

    def problems(self, parameters: MemoryParameters, document: GameDocument) -> list[Problem]:  # type: ignore[override]
        found = super().problems(parameters, document)
        for place, prize in enumerate(document.prizes):
            if prize.moves is not None and not parameters.pairs <= prize.moves <= parameters.most:
                remedy = f"say {parameters.pairs} to {parameters.most}"
                found.append(Problem(f"prizes[{place}].moves", "nobody could do that, or everybody does", remedy))
        return found

    def prizes(self, parameters: Plays, document: GameDocument, turn: Turn) -> list[GamePrizeDocument]:
        """Those of the fewest moves that was kept to; none for who did not find all pairs."""
        if turn.score is None:
            return []
        far = 10**6
        reached = [one for one in document.prizes if turn.score <= (one.moves or far)]
        best = min(((one.moves or far) for one in reached), default=far)
        return [one for one in reached if (one.moves or far) == best]

    def sentences(self, parameters: MemoryParameters, document: GameDocument) -> list[str]:  # type: ignore[override]
        text = ngettext(
            "There is %(pairs)d pair of cards; the round ends when it is found, or after %(moves)d moves.",
            "There are %(pairs)d pairs of cards; the round ends when all are found, or after %(moves)d moves.",
            parameters.pairs,
        )
        said = [text % {"pairs": parameters.pairs, "moves": parameters.most}]
        said.append(gettext("A round that is begun can be finished until the last day of the game."))
        return super().sentences(parameters, document) + said
