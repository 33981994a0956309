"""Months and their tables."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalty.events import partitions, tasks
from loyalty.kit.sql import fetch

pytestmark = pytest.mark.django_db


def tables(like: str) -> list[str]:
    rows = fetch(
        """SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'event'::regclass ORDER BY 1"""
    )
    return [name for (name,) in rows if name.startswith(like)]


def test_a_span_gets_all_its_months_in_utc() -> None:
    east = timezone(timedelta(hours=14))
    first, last = datetime(1994, 12, 1, 5, tzinfo=east), datetime(1995, 2, 1, tzinfo=UTC)
    assert partitions.ensure(first, last) == 4
    assert partitions.ensure(first, last) == 0
    assert tables("event_y1994") + tables("event_y1995") == [
        "event_y1994m11",
        "event_y1994m12",
        "event_y1995m01",
        "event_y1995m02",
    ]


def test_only_the_months_asked_for_are_made() -> None:
    assert partitions.ensure_months([date(1996, 1, 1), date(1996, 12, 1)]) == 2
    assert tables("event_y1996") == ["event_y1996m01", "event_y1996m12"]


def test_the_chore_keeps_a_year_ahead() -> None:
    at = datetime(2030, 1, 31, 23, 59, tzinfo=UTC)
    assert tasks.make_partitions(now=at) == 16
    assert tasks.make_partitions(now=at) == 0
    found = [name for year in ("2029", "2030", "2031") for name in tables(f"event_y{year}")]
    assert (found[0], found[-1], len(found)) == ("event_y2029m10", "event_y2031m01", 16)


def test_the_usual_case_is_one_query() -> None:
    at = datetime(2031, 5, 5, tzinfo=UTC)
    partitions.ensure_around(now=at)
    with CaptureQueriesContext(connection) as captured:
        assert partitions.ensure_around(now=at) == 0
    assert len(captured) == 1


def test_a_partition_has_the_indexes_and_is_vacuumed_for_inserts() -> None:
    partitions.ensure(datetime(1996, 6, 1, tzinfo=UTC), datetime(1996, 6, 1, tzinfo=UTC))
    indexes = fetch("SELECT indexdef FROM pg_indexes WHERE tablename = 'event_y1996m06' ORDER BY 1")
    assert [row[0].partition(" USING ")[2] for row in indexes] == [
        "btree (customer_id, type_id, occurred_at)",
        "btree (type_id, occurred_at) INCLUDE (customer_id)",
    ]
    ((options,),) = fetch("SELECT reloptions FROM pg_class WHERE relname = 'event_y1996m06'")
    assert "autovacuum_vacuum_insert_scale_factor=0.1" in options
    # The CHECK that spared the scan is gone: the partition's own bounds say the same.
    assert fetch(
        "SELECT count(*) FROM pg_constraint WHERE conrelid = 'event_y1996m06'::regclass AND contype = 'c'"
    ) == [(0,)]
    assert fetch("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]
