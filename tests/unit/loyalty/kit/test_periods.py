"""Lengths of time and wall-clock times, DST nights above all."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.kit.periods import Period, local

ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "UTC",
]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("2h", 7200),
        ("7d", 604_800),
        ("2w", 1_209_600),
        (" 7 d ", 604_800),
        ("0s", 0),
        ("365D", 31_536_000),
    ],
)
def test_elapsed(text: str, seconds: int) -> None:
    period = Period.parse(text)
    assert (period.seconds, period.elapsed) == (seconds, True)


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("3 calendar days", Period(days=3)),
        ("1 calendar day", Period(days=1)),
        ("2 calendar weeks", Period(days=14)),
        ("1 month", Period(months=1)),
        ("6 months", Period(months=6)),
        ("1 calendar month", Period(months=1)),
        ("2 years", Period(months=24)),
    ],
)
def test_calendar(text: str, period: Period) -> None:
    assert Period.parse(text) == period
    assert not period.elapsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        "d",
        "7 days",
        "1.5h",
        "-7d",
        "7d 2h",
        "soon",
        7,
        None,
        7.0,
        True,
        ["7d"],
        "٧d",
        "999999999w",
        "101 years",
    ],
)
def test_refused_with_what_to_write(text: object) -> None:
    with pytest.raises(ValueError, match="write 90s|has a sign|100 years"):
        Period.parse(text)


def test_signed_where_allowed() -> None:
    assert Period.parse("-7d", signed=True) == Period(seconds=-604_800)
    assert Period.parse("+1 month", signed=True) == Period(months=1)


@given(st.sampled_from("smhdw"), st.integers(0, 5000))
def test_text_round_trip(unit: str, number: int) -> None:
    period = Period.parse(f"{number}{unit}")
    assert Period.parse(str(period)) == period


@given(st.integers(0, 1200), st.integers(1, 36_000))
def test_calendar_text_round_trip(months: int, days: int) -> None:
    period = Period(months=months) if months else Period(days=days)
    assert Period.parse(str(period)) == period


def test_a_day_is_24_hours_and_a_calendar_day_is_not() -> None:
    before = datetime(2026, 3, 28, 9, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    assert Period.parse("1d").add_to(before, "Europe/Berlin") == datetime(2026, 3, 29, 8, 0, tzinfo=UTC)
    assert Period.parse("1 calendar day").add_to(before, "Europe/Berlin") == datetime(2026, 3, 29, 7, 0, tzinfo=UTC)
    assert Period.parse("1 calendar day").subtract_from(
        datetime(2026, 3, 29, 7, 0, tzinfo=UTC), "Europe/Berlin"
    ) == before.astimezone(UTC)


def test_month_ends_stay_inside_their_month() -> None:
    assert Period.parse("1 month").add_to(datetime(2028, 1, 31, 12, tzinfo=UTC)) == datetime(
        2028, 2, 29, 12, tzinfo=UTC
    )
    assert Period.parse("1 month").subtract_from(datetime(2026, 3, 31, 12, tzinfo=UTC)) == datetime(
        2026, 2, 28, 12, tzinfo=UTC
    )
    assert Period.parse("1 year").add_to(datetime(2028, 2, 29, tzinfo=UTC)) == datetime(2029, 2, 28, tzinfo=UTC)


def test_naive_instants_are_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        Period.parse("1d").add_to(datetime(2026, 1, 1))


@pytest.mark.parametrize(
    ("zone", "day", "at", "utc"),
    [
        (
            "Europe/Berlin",
            date(2026, 3, 29),
            time(2, 30),
            datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
        ),
        (
            "Europe/Berlin",
            date(2026, 3, 29),
            time(2, 0),
            datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
        ),
        (
            "Europe/Berlin",
            date(2026, 3, 29),
            time(3, 0),
            datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
        ),
        (
            "Europe/Berlin",
            date(2026, 10, 25),
            time(2, 30),
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        ),
        (
            "Australia/Lord_Howe",
            date(2026, 10, 4),
            time(2, 10),
            datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
        ),
        (
            "Australia/Lord_Howe",
            date(2026, 4, 5),
            time(1, 45),
            datetime(2026, 4, 4, 14, 45, tzinfo=UTC),
        ),
        (
            "America/New_York",
            date(2026, 3, 8),
            time(2, 59, 59),
            datetime(2026, 3, 8, 7, 0, tzinfo=UTC),
        ),
        (
            "Pacific/Apia",
            date(2011, 12, 30),
            time(10, 0),
            datetime(2011, 12, 30, 10, 0, tzinfo=UTC),
        ),
    ],
)
def test_gap_and_overlap(zone: str, day: date, at: time, utc: datetime) -> None:
    assert local(day, at, zone) == utc


@given(st.sampled_from(ZONES), st.datetimes(datetime(2000, 1, 1), datetime(2037, 12, 31)))
def test_every_wall_time_has_one_instant(zone: str, wall: datetime) -> None:
    wall = wall.replace(microsecond=0)
    instant = local(wall.date(), wall.time(), zone)
    shown = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
    if shown == wall:
        earlier = (instant - timedelta(hours=1)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert earlier != wall, "an overlap takes the first"
    else:
        assert shown > wall, "a gap moves forward"
        assert shown.second == 0
        just_before = (instant - timedelta(seconds=1)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert just_before < wall, "to the first valid minute"


@given(
    st.sampled_from(ZONES),
    st.sampled_from(
        [
            date(2026, 3, 29),
            date(2026, 10, 25),
            date(2026, 10, 4),
            date(2026, 4, 5),
            date(2026, 3, 8),
            date(2011, 12, 30),
        ]
    ),
    st.integers(0, 1439),
    st.integers(0, 1439),
)
def test_order_of_wall_times_is_kept(zone: str, day: date, one: int, other: int) -> None:
    first, second = (local(day, time(*divmod(minutes, 60)), zone) for minutes in sorted((one, other)))
    if first > second:  # only the second pass of an overlap may step back on the clock
        assert first - second < timedelta(hours=1)
        again = second.astimezone(ZoneInfo(zone))
        assert again.replace(fold=1).utcoffset() != again.utcoffset()


@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)),
    st.integers(0, 400),
)
def test_calendar_days_keep_the_time_of_day(zone: str, wall: datetime, days: int) -> None:
    start = wall.replace(tzinfo=UTC)
    here = start.astimezone(ZoneInfo(zone))
    there = Period(days=days).add_to(start, zone)
    assert there == (start if days == 0 else local(here.date() + timedelta(days=days), here.time(), zone))
    assert there.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2w", "14d"),
        ("24h", "1d"),
        ("90m", "90m"),
        ("120m", "2h"),
        ("61s", "61s"),
        ("0h", "0s"),
        ("1 year", "12 months"),
    ],
)
def test_text_is_short_and_plain(text: str, shown: str) -> None:
    assert str(Period.parse(text)) == shown
