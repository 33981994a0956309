"""What games have in common that are played with plays, free or earned: how one gets them, in words too."""

from collections.abc import Sequence
from datetime import date

from django.utils.translation import gettext, ngettext

from loyalty.kit.problems import Problem
from loyalty.play.definition import Source
from loyalty.play.game_definition import GameDocument, GamePrizeDocument, Plays
from loyalty.play.game_part import Free, Turn
from loyalty.program.rule_definition import Times


class Ticketed:
    """Any number of plays, each for one that is free or was earned."""

    # What a prize of the game can say of `doors`, `right`, `moves`, `per_person`, and whether it has to say its odds.
    conditions: frozenset[str] = frozenset({"per_person"})
    needs_odds = True

    def problems(self, parameters: Plays, document: GameDocument) -> list[Problem]:
        found = [] if document.prizes else [Problem("prizes", "are missing", "say what can be won")]
        for place, prize in enumerate(document.prizes):
            where = f"prizes[{place}]"
            found += [
                Problem(f"{where}.{name}", "means nothing in this game", "remove it")
                for name in ("doors", "right", "moves", "per_person")
                if getattr(prize, name) and name not in self.conditions
            ]
            if self.needs_odds and prize.odds is None:
                found.append(Problem(f"{where}.odds", "is missing", "say the chance of one play, like 0.05"))
        if parameters.free is None and not document.free_entry:
            remedy = "give free plays, or tell in free_entry how to take part without buying anything"
            found.append(Problem("free", "nobody could play without doing something for it", remedy))
        return found

    def free(self, parameters: Plays) -> Free | None:
        return Free(parameters.free.max, parameters.free.per) if parameters.free else None

    def earn(self, parameters: Plays) -> Sequence[Source]:
        return parameters.earn

    def door_count(self, parameters: Plays) -> int:
        return 0

    def door_problem(self, parameters: Plays, document: GameDocument, door: int, today: date) -> Problem | None:
        return Problem("door", "the game has no doors", "leave it out")

    def prizes(self, parameters: Plays, document: GameDocument, turn: Turn) -> list[GamePrizeDocument]:
        return list(document.prizes)

    def sentences(self, parameters: Plays, document: GameDocument) -> list[str]:
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
