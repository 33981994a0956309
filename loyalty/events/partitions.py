"""The timeline's monthly partitions, made ahead by a chore and on demand for late or early events.

A month is a UTC month. Each partition is created on its own and then attached: CREATE TABLE .. PARTITION OF would hold
an ACCESS EXCLUSIVE lock on the whole timeline until commit, ATTACH only SHARE UPDATE EXCLUSIVE, which stops neither
readers nor writers. The matching CHECK constraint spares ATTACH its scan.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection, transaction

from loyalty.kit.sql import fetch, sql

# Earlier dates are slips (1970, 0001) that would each leave an empty partition behind.
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
# Clocks of senders run ahead by minutes and whole time zones; more is a mistake.
LATEST_AHEAD = timedelta(days=1)
MONTHS_AHEAD = 12
MONTHS_BACK = 3

_NAME = re.compile(r"event_y(?P<year>\d{4})m(?P<month>\d\d)", re.ASCII)

# "event" in hexadecimal: the lock under which partitions are made, so that two sessions never make the same one.
_LOCK = 0x6576656E74

# Insert-only tables: vacuum after 10 % new rows, so that index-only scans find their visibility map; analyze likewise.
_STORAGE = (
    "autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_vacuum_insert_threshold = 10000, "
    "autovacuum_analyze_scale_factor = 0.05"
)


def ensure(first: datetime, last: datetime) -> int:
    """Make sure that every instant from `first` to `last` (aware, both included) has a partition; how many are new."""
    return ensure_months(_months(_month_of(first), _month_of(last)))


def ensure_around(*, now: datetime) -> int:
    """Make sure that the months from 3 back to 12 ahead of `now` exist; how many are new."""
    month = _month_of(now)
    return ensure_months(_months(_shift(month, -MONTHS_BACK), _shift(month, MONTHS_AHEAD)))


def ensure_months(months: Iterable[date]) -> int:
    """Make sure that these months (their first days) exist; how many are new. One query when all are there."""
    wanted = sorted(set(months))
    missing = _missing(wanted)
    if not missing:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        take_turns()
        missing = _missing(missing)
        if missing:
            cursor.execute(";\n".join(_statements(month) for month in missing))
    return len(missing)


def take_turns() -> None:
    """Wait for whoever makes or removes months at this moment, and keep others out until this transaction ends."""
    fetch(sql("SELECT pg_advisory_xact_lock({lock})", lock=_LOCK))


def existing() -> list[date]:
    """The months that have a partition, oldest first."""
    rows = fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = 'event'::regclass ORDER BY c.relname"
    )
    found = [_NAME.fullmatch(name) for (name,) in rows]
    return [date(int(match["year"]), int(match["month"]), 1) for match in found if match]


def start_of(month: date) -> datetime:
    """The first instant of a month."""
    return datetime.combine(month, time(), UTC)


def end_of(month: date) -> datetime:
    """The first instant after a month."""
    return start_of(_shift(month, 1))


def month_of(instant: datetime) -> date:
    """The first day of the UTC month of an aware instant: the partition it belongs to."""
    return _month_of(instant)


def name_of(month: date) -> str:
    """The table that holds this month."""
    return f"event_y{month.year:04}m{month.month:02}"


def _month_of(instant: datetime) -> date:
    return instant.astimezone(UTC).date().replace(day=1)


def _shift(month: date, by: int) -> date:
    index = month.year * 12 + month.month - 1 + by
    return date(index // 12, index % 12 + 1, 1)


def _months(first: date, last: date) -> list[date]:
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return [_shift(first, step) for step in range(count)]


def _missing(months: list[date]) -> list[date]:
    by_name = {name_of(month): month for month in months}
    # Not to_regclass: it answers from a cache of names, in which a table that another session made while this one
    # waited for the lock is still missing.
    rows = fetch(
        sql(
            """SELECT relname FROM pg_class
            WHERE relname = ANY({names}) AND relnamespace = current_schema()::regnamespace AND relispartition""",
            names=list(by_name),
        )
    )
    return sorted(by_name[name] for name in by_name.keys() - {name for (name,) in rows})


def _statements(month: date) -> str:
    return f"{create_text(month, name_of(month))};\n{attach_text(month)}"


# Only dates and our own table names go into these texts; DDL takes no parameters.
def create_text(month: date, name: str) -> str:
    """DDL for a table that can become this month."""
    low, high = _bounds(month)
    return (
        f"CREATE TABLE {name} (LIKE event INCLUDING ALL, "
        f"CONSTRAINT {name_of(month)}_range CHECK (occurred_at >= {low} AND occurred_at < {high})) WITH ({_STORAGE})"
    )


def attach_text(month: date) -> str:
    """DDL by which the table of the month's name joins the timeline."""
    name = name_of(month)
    low, high = _bounds(month)
    return (
        f"ALTER TABLE event ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high});\n"
        f"ALTER TABLE {name} DROP CONSTRAINT {name}_range"
    )


def _bounds(month: date) -> tuple[str, str]:
    return f"'{month} 00:00+00'", f"'{_shift(month, 1)} 00:00+00'"
