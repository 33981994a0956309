"""`local_instant` in the database and `periods.local` in Python are the same function."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.kit.periods import local
from loyalty.kit.sql import fetch

ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "UTC",
]
# Nights when the clocks of those zones change.
NIGHTS = [
    date(2026, 3, 29),
    date(2026, 10, 25),
    date(2026, 3, 8),
    date(2026, 11, 1),
    date(2026, 4, 5),
    date(2026, 10, 4),
    date(2026, 2, 15),
    date(2026, 3, 22),
]


def in_database(day: date, at: time, zone: str) -> datetime:
    found: datetime = fetch(
        "SELECT local_instant(%(wall)s::timestamp, %(zone)s)", {"wall": datetime.combine(day, at), "zone": zone}
    )[0][0]
    return found


@pytest.mark.django_db
@settings(max_examples=400, deadline=None)
@given(st.sampled_from(NIGHTS), st.integers(0, 24 * 60 - 1), st.sampled_from(ZONES))
def test_both_agree_on_the_nights_of_the_year(day: date, minute: int, zone: str) -> None:
    at = time(minute // 60, minute % 60)
    assert in_database(day, at, zone) == local(day, at, zone)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("day", "at", "zone", "expected"),
    [
        (date(2026, 3, 29), time(2, 30), "Europe/Berlin", datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
        (date(2026, 10, 25), time(2, 30), "Europe/Berlin", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (date(2026, 10, 4), time(2, 15), "Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
        (date(2026, 4, 5), time(1, 45), "Australia/Lord_Howe", datetime(2026, 4, 4, 14, 45, tzinfo=UTC)),
    ],
)
def test_gap_and_overlap(day: date, at: time, zone: str, expected: datetime) -> None:
    assert in_database(day, at, zone) == expected


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/New_York"])
def test_nine_o_clock_happens_once_a_day_all_year(zone: str) -> None:
    instants = [in_database(date(2026, 1, 1) + timedelta(days=n), time(9), zone) for n in range(365)]
    assert len(set(instants)) == 365
    assert all(instant.astimezone(ZoneInfo(zone)).time() == time(9) for instant in instants)
