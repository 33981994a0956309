"""When contracts end, and what part of a fee is used."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from loyalty.subscriptions.terms import add_months, calendar, end_of_cancelled, part

ZONE = "Europe/Berlin"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_months_stay_inside_their_month_and_keep_the_time_of_day() -> None:
    ends = [add_months(NOW, n, ZONE) for n in (1, 2, 3)]
    assert [end.isoformat() for end in ends] == [
        "2026-02-28T12:00:00+00:00", "2026-03-31T11:00:00+00:00", "2026-04-30T11:00:00+00:00",
    ]  # fmt: skip


def test_the_day_of_the_order_does_not_count_for_the_14_days() -> None:
    found = calendar(ordered_at=NOW, trial_days=14, term_months=12, zone=ZONE)
    assert found.withdraw_until == datetime(2026, 2, 14, 23, tzinfo=UTC)
    assert found.trial_ends_at == found.anchor_at == datetime(2026, 2, 14, 12, tzinfo=UTC)
    assert found.first_term_ends_at == datetime(2027, 2, 14, 12, tzinfo=UTC)


def test_a_wished_day_is_kept_when_it_is_later() -> None:
    rest = {"trial_ends_at": None, "first_term_ends_at": NOW, "term_ends_at": NOW + timedelta(days=28), "zone": ZONE,
            "has_term": False, "declared_at": NOW, "notice": timedelta(days=30)}  # fmt: skip
    assert end_of_cancelled(wished=None, **rest) == NOW + timedelta(days=28)
    assert end_of_cancelled(wished=date(2026, 2, 3), **rest) == NOW + timedelta(days=28)
    assert end_of_cancelled(wished=date(2026, 5, 31), **rest) == datetime(2026, 5, 31, 22, tzinfo=UTC)


@given(declared=st.integers(0, 2_000), notice=st.integers(0, 31), paid=st.integers(0, 400), term=st.integers(0, 24))
def test_nobody_is_kept_longer_than_the_first_term_or_the_notice(
    declared: int, notice: int, paid: int, term: int
) -> None:
    at = NOW + timedelta(days=declared)
    first = add_months(NOW, term, ZONE)
    end = end_of_cancelled(
        declared_at=at, notice=timedelta(days=notice), trial_ends_at=None, first_term_ends_at=first,
        term_ends_at=at + timedelta(days=paid), wished=None, zone=ZONE, has_term=bool(term),
    )  # fmt: skip
    assert at <= end <= max(first, at + timedelta(days=notice))
    assert end >= (first if term else at)


@given(st.decimals("0.01", "9999.99", places=2), st.integers(1, 1_000), st.integers(-100, 1_100))
def test_a_part_is_never_more_than_the_whole(amount: Decimal, length: int, used: int) -> None:
    found = part(amount, NOW, NOW + timedelta(hours=length), NOW + timedelta(hours=used))
    assert 0 <= found <= amount
    assert (found == 0) if used <= 0 else True
    assert (found == amount) if used >= length else True
