"""Prize draws: plays are tickets, and one instant decides."""

from datetime import date, datetime, timedelta

from django.utils.formats import date_format
from django.utils.translation import gettext

from loyalty.kit.problems import Problem
from loyalty.play.game_definition import GameDocument, GamePrizeDocument, Plays
from loyalty.play.game_part import TICKETS, Turn, game_parts
from loyalty.play.ticketed import Ticketed


class Parameters(Plays):
    """`draw_at`: when the tickets are drawn, in the program's time zone, after the last day."""

    draw_at: datetime


@game_parts.register("draw")
class Draw(Ticketed):
    """Every ticket has the same chance, and a person wins once at most."""

    parameters = Parameters
    style = TICKETS
    conditions = frozenset()
    needs_odds = False

    def problems(self, parameters: Parameters, document: GameDocument) -> list[Problem]:  # type: ignore[override]
        found = super().problems(parameters, document)
        first: date = document.end + timedelta(days=1)
        if parameters.draw_at.tzinfo is not None:
            found.append(Problem("draw_at", "has a time zone of its own", "leave it out: it is the program's"))
        elif parameters.draw_at.date() < first:
            found.append(Problem("draw_at", "comes before the last ticket", f"say {first.isoformat()} or later"))
        for place, prize in enumerate(document.prizes):
            if prize.odds is not None:
                found.append(Problem(f"prizes[{place}].odds", "follow from the tickets", "remove it"))
            if prize.stock is None:
                found.append(Problem(f"prizes[{place}].stock", "is missing", "say how many are drawn"))
        return found

    def prizes(self, parameters: Plays, document: GameDocument, turn: Turn) -> list[GamePrizeDocument]:
        """None before the draw."""
        return []

    def sentences(self, parameters: Parameters, document: GameDocument) -> list[str]:  # type: ignore[override]
        text = gettext("The winners are drawn on %(day)s.")
        return [
            *super().sentences(parameters, document),
            gettext("A play is a ticket. Every ticket has the same chance, and a person wins once at most."),
            text % {"day": date_format(parameters.draw_at, "DATETIME_FORMAT")},
        ]
