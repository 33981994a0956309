"""Advent calendars: one door a day, each once."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated

from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext
from pydantic import Field

from loyalty.kit.problems import Problem
from loyalty.play.definition import Source
from loyalty.play.game_definition import GameDocument, GamePrizeDocument
from loyalty.play.game_part import DOORS, Free, Turn, game_parts
from loyalty.program.definition import Strict


class Parameters(Strict):
    """`doors`: how many, the first on the first day of the game; `late`: doors of earlier days can still be opened."""

    doors: Annotated[int, Field(ge=1, le=366)] = 24
    late: bool = True


@game_parts.register("advent_calendar")
class AdventCalendar:
    """Every door is a play that is free."""

    parameters = Parameters
    style = DOORS

    def problems(self, parameters: Parameters, document: GameDocument) -> list[Problem]:
        days = (document.end - document.start).days + 1
        found = []
        if parameters.doors > days:
            found.append(
                Problem("doors", f"are {parameters.doors}, but the game has {days} days", "end it later, or take fewer")
            )
        if not document.prizes:
            found.append(Problem("prizes", "are missing", "say what can be won"))
        for place, prize in enumerate(document.prizes):
            if prize.odds is None:
                found.append(Problem(f"prizes[{place}].odds", "is missing", "say the chance of one door, like 0.05"))
            beyond = [door for door in prize.doors if door > parameters.doors]
            if beyond:
                found.append(Problem(f"prizes[{place}].doors", f"there is no door {beyond[0]}"))
        return found

    def free(self, parameters: Parameters) -> Free | None:
        return None

    def earn(self, parameters: Parameters) -> Sequence[Source]:
        return ()

    def door_count(self, parameters: Parameters) -> int:
        return parameters.doors

    def door_problem(self, parameters: Parameters, document: GameDocument, door: int, today: date) -> Problem | None:
        if not 1 <= door <= parameters.doors:
            return Problem("door", f"there is no door {door}", f"doors are 1 to {parameters.doors}")
        day = document.start + timedelta(days=door - 1)
        if today < day:
            return Problem("door", f"door {door} is not open yet", f"come back on {day.isoformat()}")
        if today > day and not parameters.late:
            return Problem("door", f"door {door} was for {day.isoformat()} only", "open the door of today")
        return None

    def prizes(self, parameters: Parameters, document: GameDocument, turn: Turn) -> list[GamePrizeDocument]:
        return [prize for prize in document.prizes if not prize.doors or turn.door in prize.doors]

    def sentences(self, parameters: Parameters, document: GameDocument) -> list[str]:
        said = [
            ngettext(
                "There is %(count)d door; it opens on %(day)s.",
                "There are %(count)d doors; the first opens on %(day)s, one more each day.",
                parameters.doors,
            )
            % {"count": parameters.doors, "day": date_format(document.start, "DATE_FORMAT")},
            gettext("Every door can be opened once, and nothing has to be bought for it."),
        ]
        if parameters.late:
            said.append(gettext("Doors of earlier days can be opened until the end of the game."))
        return said
