"""From a row of a file to an event."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from loyalty.events.rows import event_of, typed

NO_SHIFT = timedelta(0)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("11.77", 11.77),
        ("0.5", 0.5),
        ("007", "007"),
        ("1e5", "1e5"),
        ("1,5", "1,5"),
        ("+49", "+49"),
        ("1234567890123456", "1234567890123456"),
        ("٣", "٣"),
        ("nan", "nan"),
    ],
)
def test_only_plain_numbers_become_numbers(cell: str, value: object) -> None:
    assert typed(cell) == value
    assert type(typed(cell)) is type(value)


def test_a_full_row_becomes_an_event() -> None:
    record = {
        "id": "o-1",
        "customer": "c1",
        "name": "purchase",
        "occurred_at": "1998-06-30T10:00:00+00:00",
        "properties.amount": "11.77",
        "properties.note": "gift",
    }
    assert event_of(record, row_id="f:2", name="other", zone=None, shift=timedelta(days=1)) == {
        "id": "o-1",
        "customer": "c1",
        "name": "purchase",
        "occurred_at": datetime(1998, 7, 1, 10, tzinfo=UTC),
        "properties": {"amount": 11.77, "note": "gift"},
    }


def test_a_sparse_row_is_completed() -> None:
    event = event_of(
        {"customer.email": "a@example.com", "occurred_at": "2026-07-01 10:00"},
        row_id="f:2",
        name="purchase",
        zone=ZoneInfo("Europe/Berlin"),
        shift=NO_SHIFT,
    )
    assert event["id"] == "f:2"
    assert event["name"] == "purchase"
    assert event["customer"] == {"email": "a@example.com"}
    assert event["occurred_at"].astimezone(UTC) == datetime(2026, 7, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize("cell", ["2026-07-01 10:00", "yesterday"])
def test_what_is_no_instant_is_passed_on_for_the_intake_to_refuse(cell: str) -> None:
    event = event_of({"occurred_at": cell}, row_id="f:2", name=None, zone=None, shift=timedelta(days=9))
    assert event["occurred_at"] == cell


def test_a_shift_past_the_calendar_is_passed_on() -> None:
    cell = "9999-12-31T23:00:00+00:00"
    event = event_of({"occurred_at": cell}, row_id="f:2", name=None, zone=None, shift=timedelta(days=9))
    assert event["occurred_at"] == cell
