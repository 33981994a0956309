"""The CDNOW log: its own figures, and what is made up around them."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal

from campaigns.gallery import cdnow


def test_the_log_has_the_published_figures() -> None:
    log = list(cdnow.purchases())
    assert len(log) == 69_659
    assert len({one.customer for one in log}) == 23_570
    assert sum(Decimal(one.amount) for one in log) == Decimal("2500315.63")
    assert sum(one.quantity for one in log) == 167_881
    assert (min(one.day for one in log), max(one.day for one in log)) == (date(1997, 1, 1), date(1998, 6, 30))
    assert log[0] == cdnow.Purchase(1, "cdnow-00001", date(1997, 1, 1), 1, "11.77")


def test_events_keep_their_dates_and_have_stable_ids() -> None:
    out = io.StringIO()
    assert cdnow.write_events(out) == 69_659
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert rows[0] == {
        "id": "cdnow-1",
        "customer": "cdnow-00001",
        "name": "purchase",
        "occurred_at": "1997-01-01T10:22:22+00:00",
        "amount": "11.77",
        "quantity": "1",
        "currency": "USD",
    }
    assert len({row["id"] for row in rows}) == 69_659
    for row, one in zip(rows, cdnow.purchases(), strict=True):
        at = datetime.fromisoformat(row["occurred_at"])
        assert at.date() == one.day
        assert at.tzinfo == UTC
        assert 7 <= at.hour <= 22


def test_the_times_of_a_day_are_spread() -> None:
    hours = [int(cdnow.occurred_at(one)[11:13]) for one in cdnow.purchases()]
    counts = [hours.count(hour) for hour in range(7, 23)]
    assert min(counts) > 0.9 * len(hours) / 16
    assert max(counts) < 1.1 * len(hours) / 16


def test_people_are_synthetic_and_always_the_same() -> None:
    out = io.StringIO()
    assert cdnow.write_customers(out) == 23_570
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert rows[0] == {
        "external_id": "cdnow-00001",
        "email": "cdnow-00001@example.com",
        "first_name": "Ben",
        "locale": "de-AT",
        "country": "AT",
        "timezone": "Europe/Vienna",
    }
    assert len({row["email"] for row in rows}) == 23_570
    assert all(row["email"].endswith("@example.com") for row in rows)
    assert {row["country"] for row in rows} == {"DE", "AT", "CH", "GB", "US"}
    german = {row["country"] for row in rows if row["locale"].startswith("de")}
    assert german == {"DE", "AT", "CH"}
