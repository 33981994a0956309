"""More plays of a game: `{type: plays, game: summer, plays: 2}`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from django.utils.translation import ngettext
from pydantic import Field

from loyalty.kit.admin import localized
from loyalty.kit.problems import Problem
from loyalty.play import tickets
from loyalty.play.models import Game
from loyalty.play.prize import Winner, prize_kinds
from loyalty.program.definition import Strict


class Parameters(Strict):
    """The key of the game."""

    game: str
    plays: Annotated[int, Field(ge=1, le=1000)] = 1


@prize_kinds.register("plays")
class Plays:
    """Given like plays for anything else."""

    parameters = Parameters
    by_hand = False

    def problems(self, parameters: Parameters, declared: dict[str, set[str]]) -> list[Problem]:
        known = [*Game.objects.order_by("key").values_list("key", flat=True)]
        if parameters.game in known or parameters.game in declared.get("game", ()):
            return []
        return [Problem("game", f"there is no game {parameters.game!r}", f"known: {', '.join(known[:10]) or 'none'}")]

    def sentence(self, parameters: Parameters) -> str:
        found = Game.objects.filter(key=parameters.game).first()
        return ngettext("%(count)d play of “%(game)s”", "%(count)d plays of “%(game)s”", parameters.plays) % {
            "count": parameters.plays,
            "game": localized(found.name, found.key) if found else parameters.game,
        }

    def give(
        self, parameters: Parameters, winners: Sequence[Winner], *, program_id: int | None, now: datetime
    ) -> dict[int, str | None]:
        game = Game.objects.filter(key=parameters.game).first()
        if game is None:
            return {}
        given = [tickets.Given(one.customer_id, parameters.plays, one.key) for one in winners]
        tickets.give(game, given, source="prize", now=now)
        return {one.award_id: None for one in winners}
