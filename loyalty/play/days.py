"""Days as the program counts them."""

from datetime import date

from django.conf import settings

from loyalty.kit.sql import Sql, sql
from loyalty.program.models import Program


def zone_of(program_id: int | None) -> str:
    """The time zone of the program's days."""
    found = Program.objects.filter(pk=program_id).values_list("definition", flat=True).first() if program_id else None
    return str((found or {}).get("timezone") or settings.TIME_ZONE)


def between(start: date | None, end: date | None, at: Sql, zone: str) -> Sql:
    """Boolean SQL: the instant is on one of the days from start to end, as far as they are given."""
    found = [Sql("TRUE")]
    if start:
        found.append(sql("({at} AT TIME ZONE {zone})::date >= {day}::date", at=at, zone=zone, day=start))
    if end:
        found.append(sql("({at} AT TIME ZONE {zone})::date <= {day}::date", at=at, zone=zone, day=end))
    return Sql(" AND ").join(found)


def birthdays_on(today: date) -> list[int]:
    """The birthdays (month * 100 + day) that are celebrated today: those of February 29 on the 28th in other years."""
    days = [today.month * 100 + today.day]
    leap = today.year % 4 == 0 and (today.year % 100 != 0 or today.year % 400 == 0)
    return [*days, 229] if days == [228] and not leap else days
