"""Challenges that take turns: of a group, each is up in every n-th day, week or month."""

from collections.abc import Collection
from datetime import date, timedelta

from loyalty.kit.sql import Sql, sql
from loyalty.play.definition import ChallengeDocument
from loyalty.play.models import Challenge

# A Monday: weeks and days are counted from it.
_BEGAN = date(2000, 1, 3)
Turn = tuple[int, int]
"""(place, of how many)."""


def turns(challenges: Collection[Challenge]) -> dict[int, Turn]:
    """The turns of those that take any, by id; the others are always up. All active ones are given."""
    groups: dict[tuple[int | None, str, str], list[Challenge]] = {}
    for one in sorted(challenges, key=lambda one: one.key):
        if group := one.definition.get("rotate"):
            groups.setdefault((one.program_id, str(group), str(one.definition["window"])), []).append(one)
    return {one.pk: (place, len(found)) for found in groups.values() for place, one in enumerate(found)}


def turn_of(challenge: Challenge) -> Turn | None:
    """The turn of one challenge; None for one that is always up."""
    group = challenge.definition.get("rotate")
    if not group:
        return None
    rows = Challenge.objects.filter(state="active", program_id=challenge.program_id, definition__rotate=group)
    return turns([*rows]).get(challenge.pk, (0, 1))


def _number(window: str, day: date) -> int:
    if window == "month":
        return day.year * 12 + day.month
    return (day - _BEGAN).days // (7 if window == "week" else 1)


def is_up(document: ChallengeDocument, turn: Turn | None, day: date) -> bool:
    """Whether it is the challenge's turn on that day."""
    return turn is None or _number(document.window, day) % turn[1] == turn[0]


def last_day(document: ChallengeDocument, day: date) -> date:
    """The last day of the turn that the day belongs to."""
    if document.window == "month":
        return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return day + timedelta(days=6 - day.weekday() if document.window == "week" else 0)


def is_up_sql(document: ChallengeDocument, turn: Turn | None, at: Sql, zone: str) -> Sql:
    """The same as boolean SQL over an instant."""
    if turn is None:
        return Sql("TRUE")
    day = sql("({at} AT TIME ZONE {zone})::date", at=at, zone=zone)
    number = sql("({day} - {began}::date)", day=day, began=_BEGAN)
    if document.window == "week":
        number = sql("floor({number} / 7.0)::int", number=number)
    elif document.window == "month":
        number = sql("(extract(year FROM {day}) * 12 + extract(month FROM {day}))::int", day=day)
    return sql("mod({number}, {of}) = {place}", number=number, of=turn[1], place=turn[0])
