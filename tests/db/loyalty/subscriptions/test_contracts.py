"""Contracts from the order to the end, with what is due, given and given back."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from loyalty.kit.checks import invariants, verdict
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.program import operations as program
from loyalty.program.models import Member
from loyalty.subscriptions import operations, paying
from loyalty.subscriptions.closing import Cancelling
from loyalty.subscriptions.models import Benefit, Charge, Notice, Subscription
from tests.db.loyalty.subscriptions.house import (
    NOW,
    charges,
    facts_of,
    opened,
    ordered,
    person,
    points_of,
    tick,
    tier_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


def day(n: float) -> datetime:
    return NOW + timedelta(days=n)


def pay(one: Subscription, at: datetime, reference: str = "p") -> None:
    for charge in Charge.objects.filter(subscription=one, kind="fee", state__in=("due", "failed")):
        paying.report(charge.pk, "paid", reference=f"{reference}{charge.pk}", now=at)


@pytest.fixture(autouse=True)
def sound() -> object:
    yield
    for check in invariants():
        if check.key.startswith(("subscriptions.", "program.")):
            found = verdict(check)
            assert (check.key, found.violations, found.samples, found.failure) == (check.key, 0, [], "")


def test_it_begins_with_the_first_payment_and_goes_on_month_by_month() -> None:
    opened()
    anna = person("anna")
    one = ordered(anna)
    tick(NOW)
    assert (one.state, charges(one), tier_of(anna), points_of(anna)) == ("ordered", [("fee", "due", "9.90")], None, 0)
    pay(one, day(2))
    tick(day(2))
    one.refresh_from_db()
    assert (one.state, one.term_ends_at) == ("active", datetime(2026, 4, 12, 11, tzinfo=UTC))
    assert (tier_of(anna), points_of(anna)) == ("gold", 100)
    assert Benefit.objects.filter(kind="voucher").count() == 2
    tick(day(32))
    assert charges(one)[1:] == []
    tick(datetime(2026, 4, 12, 11, tzinfo=UTC))
    assert charges(one)[1:] == [("fee", "due", "9.90")]
    assert points_of(anna) == 100
    pay(one, day(34))
    tick(day(34))
    assert points_of(anna) == 200
    assert facts_of(anna) == ["ordered", "started", "renewed"]


def test_the_same_order_twice_is_one_and_a_second_contract_is_refused() -> None:
    from uuid import uuid4

    opened()
    anna, key = person("anna"), uuid4()
    assert ordered(anna, key=key).pk == ordered(anna, key=key).pk
    with pytest.raises(Problems, match="has the contract"):
        ordered(anna)


def test_a_trial_costs_nothing_and_is_given_once() -> None:
    opened(trial=14, remind="3d")
    anna = person("anna")
    one = ordered(anna)
    tick(NOW)
    assert (one.state, charges(one), tier_of(anna)) == ("trial", [], "gold")
    tick(day(11.5))
    assert list(Notice.objects.order_by("id").values_list("kind", flat=True)) == ["ordered", "reminder"]
    ends = operations.cancel(one.pk, Cancelling(day(12)), now=day(12))
    assert ends == one.trial_ends_at
    tick(day(15))
    one.refresh_from_db()
    assert (one.state, charges(one), tier_of(anna)) == ("ended", [], None)
    assert ordered(anna, now=day(20)).state == "ordered"


def test_a_first_term_is_kept_and_then_it_ends_within_the_notice() -> None:
    opened(fee={"amount": 120, "per": "year"}, term=12)
    anna, ben = person("anna"), person("ben")
    first, second = ordered(anna), ordered(ben)
    pay(first, NOW)
    pay(second, NOW)
    tick(NOW)
    assert operations.cancel(first.pk, Cancelling(day(100)), now=day(100)) == datetime(2027, 3, 10, 12, tzinfo=UTC)
    tick(day(340))
    assert Notice.objects.filter(kind="reminder", customer_id=ben).count() == 1
    tick(day(365))
    first.refresh_from_db()
    assert (first.state, charges(first)) == ("ended", [("fee", "paid", "120.00")])
    assert charges(second) == [("fee", "paid", "120.00"), ("fee", "due", "120.00")]
    pay(second, day(365))
    # In its second year it ends 30 days from now, and 336 of 366 days go back.
    assert operations.cancel(second.pk, Cancelling(day(365)), now=day(365)) == day(395)
    tick(day(396))
    assert charges(second)[2:] == [("refund", "due", "110.16")]


def test_who_takes_a_cancellation_back_goes_on() -> None:
    opened()
    anna = person("anna")
    one = ordered(anna)
    pay(one, NOW)
    operations.cancel(one.pk, Cancelling(day(3)), now=day(3))
    again = operations.cancel(one.pk, Cancelling(day(4)), now=day(4))
    one.refresh_from_db()
    assert (one.state, again) == ("cancelled", one.ends_at)
    assert operations.resume(one.pk, now=day(5)).state == "active"
    tick(day(31))
    assert len(charges(one)) == 2
    with pytest.raises(Problems, match="is not cancelled"):
        operations.resume(one.pk, now=day(5))


def test_payments_are_counted_once_and_a_missing_one_ends_it() -> None:
    opened()
    anna = person("anna")
    one = ordered(anna)
    pay(one, NOW)
    tick(NOW)
    tick(day(31))
    charge = Charge.objects.get(subscription=one, number=2)
    for _ in range(2):
        done = paying.report(charge.pk, "failed", reference="try-1", reason="no money", now=day(32))
    assert (done.fresh, done.charge.attempts, done.contract.state) == (False, 1, "past_due")
    tick(day(40))
    assert tier_of(anna) == "gold"
    tick(day(47))
    assert tier_of(anna) is None
    tick(day(80))
    assert len(charges(one)) == 2
    tick(day(93))
    one.refresh_from_db()
    # Benefits were there until day 46, 15 of the 30 days of the second month and an hour of summer time.
    assert (one.state, one.end_reason) == ("ended", "unpaid")
    assert charges(one)[1][:2] == ("fee", "failed")
    assert Decimal("4.90") < Decimal(charges(one)[1][2]) < Decimal("5.10")


def test_a_late_payment_brings_the_benefits_back_and_no_fee_for_the_time_between() -> None:
    opened()
    anna = person("anna")
    one = ordered(anna)
    pay(one, NOW)
    tick(day(31))
    charge = Charge.objects.get(subscription=one, number=2)
    paying.report(charge.pk, "failed", reference="try-1", now=day(32))
    tick(day(70))
    paying.report(charge.pk, "paid", reference="bank-7", now=day(70))
    with pytest.raises(Problems, match="was paid by bank-7"):
        paying.report(charge.pk, "paid", reference="bank-8", now=day(70))
    tick(day(70))
    one.refresh_from_db()
    assert (one.state, tier_of(anna), len(charges(one))) == ("active", "gold", 3)
    assert Charge.objects.get(subscription=one, number=3).period_start == day(70)


def test_a_withdrawal_gives_everything_back_but_what_was_asked_for_at_once() -> None:
    opened(fee={"amount": 365, "per": "year"})
    anna, ben = person("anna"), person("ben")
    first, second = ordered(anna), ordered(ben, early_start=True)
    pay(first, NOW)
    pay(second, NOW)
    tick(NOW)
    assert operations.withdraw(first.pk, declared_at=day(10), now=day(10)) == Decimal("365.00")
    assert operations.withdraw(second.pk, declared_at=day(10), now=day(10)) == Decimal("355.00")
    tick(day(10))
    first.refresh_from_db()
    assert (first.state, tier_of(anna), points_of(anna)) == ("withdrawn", None, 0)
    assert fetch("SELECT count(*) FROM voucher WHERE state = 1") == [(0,)]
    third = ordered(anna, now=day(20))
    with pytest.raises(Problems, match="can not be withdrawn any more"):
        operations.withdraw(third.pk, declared_at=day(35), now=day(35))


def test_who_leaves_the_program_pays_no_longer() -> None:
    setup = opened()
    anna = person("anna")
    one = ordered(anna)
    pay(one, NOW)
    tick(NOW)
    program.leave(member_id=Member.objects.get(customer_id=anna).pk, setup=setup, now=day(3))
    tick(day(3))
    one.refresh_from_db()
    assert (one.state, one.ends_at) == ("cancelled", one.term_ends_at)
    tick(day(40))
    assert len(charges(one)) == 1


def test_a_new_fee_counts_for_who_agrees() -> None:
    opened()
    anna = person("anna")
    one = ordered(anna)
    pay(one, NOW)
    opened(fee={"amount": 12, "per": "month"})
    assert operations.offer_fee(one.plan_id, now=day(1)) == 1
    assert operations.offer_fee(one.plan_id, now=day(1)) == 0
    tick(day(31))
    assert charges(one)[1] == ("fee", "due", "9.90")
    assert operations.accept_fee(one.pk, accept=True, now=day(32)).fee == Decimal("12.00")
    pay(one, day(32))
    tick(day(62))
    assert charges(one)[2] == ("fee", "due", "12.00")
