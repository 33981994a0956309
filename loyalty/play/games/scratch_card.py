"""Scratch cards: a play shows at once what was won."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated

from django.utils.translation import gettext, ngettext
from pydantic import Field

from loyalty.kit.problems import Problem
from loyalty.play.definition import GameDocument, GamePrizeDocument, Source
from loyalty.play.game_part import Free, game_parts
from loyalty.program.definition import Strict, Times


class Parameters(Strict):
    """`free`: plays for nothing in each period; `earn`: events that give plays."""

    free: Times | None = None
    earn: Annotated[list[Source], Field(max_length=20)] = []


@game_parts.register("scratch_card")
class ScratchCard:
    """Any number of plays, each for one that is free or was earned."""

    parameters = Parameters
    doors = False

    def problems(self, parameters: Parameters, document: GameDocument) -> list[Problem]:
        found = [
            Problem(f"prizes[{place}].doors", "a scratch card has no doors", "remove it")
            for place, prize in enumerate(document.prizes)
            if prize.doors
        ]
        if parameters.free is None and not document.free_entry:
            remedy = "give free plays, or tell in free_entry how to take part without buying anything"
            found.append(Problem("free", "nobody could play without doing something for it", remedy))
        return found

    def free(self, parameters: Parameters) -> Free | None:
        return Free(parameters.free.max, parameters.free.per) if parameters.free else None

    def earn(self, parameters: Parameters) -> Sequence[Source]:
        return parameters.earn

    def door_count(self, parameters: Parameters) -> int:
        return 0

    def door_problem(self, parameters: Parameters, document: GameDocument, door: int, today: date) -> Problem | None:
        return Problem("door", "a scratch card has no doors", "leave it out")

    def prizes(self, parameters: Parameters, document: GameDocument, door: int | None) -> list[GamePrizeDocument]:
        return list(document.prizes)

    def sentences(self, parameters: Parameters, document: GameDocument) -> list[str]:
        said = []
        if parameters.free:
            said.append(_free(parameters.free))
        for source in parameters.earn:
            said.append(
                ngettext("“%(event)s” gives %(count)d play.", "“%(event)s” gives %(count)d plays.", source.count)
                % {"event": source.event, "count": source.count}
            )
        return said


def _free(free: Times) -> str:
    text = {
        "day": ngettext("%(n)d play a day is free.", "%(n)d plays a day are free.", free.max),
        "week": ngettext("%(n)d play a week is free.", "%(n)d plays a week are free.", free.max),
        "month": ngettext("%(n)d play a month is free.", "%(n)d plays a month are free.", free.max),
        "year": ngettext("%(n)d play a year is free.", "%(n)d plays a year are free.", free.max),
        "ever": ngettext("%(n)d play is free.", "%(n)d plays are free.", free.max),
    }[free.per]
    return text % {"n": free.max} + " " + gettext("Nothing has to be bought for it.")
