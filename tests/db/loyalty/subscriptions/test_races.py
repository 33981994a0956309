"""Real connections at once: one contract for each order, one fee for each period, each payment counted once."""

from datetime import datetime, timedelta

import pytest

from loyalty.kit.checks import invariants, verdict
from loyalty.kit.sql import fetch
from loyalty.subscriptions import declaring, operations, paying, tasks
from loyalty.subscriptions.closing import Cancelling
from loyalty.subscriptions.declaring import Declared
from loyalty.subscriptions.models import Charge, Subscription
from tests.db.loyalty.program.test_races import at_once
from tests.db.loyalty.subscriptions.house import NOW, opened, ordered, person

pytestmark = pytest.mark.django_db(transaction=True)


def day(n: float) -> datetime:
    return NOW + timedelta(days=n)


@pytest.fixture(autouse=True)
def sound() -> object:
    opened()
    yield
    for check in invariants():
        if check.key.startswith(("subscriptions.", "program.", "offers.")):
            found = verdict(check)
            assert (check.key, found.violations, found.samples, found.failure) == (check.key, 0, [], "")


def members(count: int) -> list[Subscription]:
    found = [ordered(person(f"m{number}")) for number in range(count)]
    for charge in Charge.objects.all():
        paying.report(charge.pk, "paid", reference="first", now=NOW)
    return found


def test_a_person_who_orders_forty_times_has_one_contract_and_one_fee() -> None:
    people = [person(f"p{number}") for number in range(4)]
    done = at_once(lambda number: ordered(people[number % 4]), 40)
    assert sum(one is not None for one in done) == 4
    assert fetch("SELECT count(*), count(DISTINCT customer_id) FROM subscription") == [(4, 4)]
    assert fetch("SELECT count(*) FROM subscription_charge") == [(4,)]
    assert fetch("SELECT count(*) FROM subscription_notice WHERE kind = 'ordered'") == [(4,)]


def test_a_trial_is_given_once_however_often_it_is_ordered_and_withdrawn() -> None:
    opened(trial=14)
    anna = person("anna")

    def try_it(number: int) -> Subscription:
        one = ordered(anna)
        operations.withdraw(one.pk, declared_at=NOW, now=NOW)
        return one

    at_once(try_it, 40)
    assert fetch("SELECT count(*) FROM subscription WHERE trial_ends_at IS NOT NULL") == [(1,)]


def test_a_period_is_charged_once_however_many_workers_renew() -> None:
    members(30)
    at_once(lambda _: tasks.follow_calendar(now=day(32)), 8, 8)
    assert fetch("SELECT number, count(*) FROM subscription_charge GROUP BY 1 ORDER BY 1") == [(1, 30), (2, 30)]
    assert tasks.follow_calendar(now=day(32)) == 0
    query = "SELECT count(*) FROM event e JOIN event_type t ON t.id = e.type_id WHERE t.name = 'subscription.renewed'"
    assert fetch(query) == [(30,)]


def test_a_charge_is_paid_by_one_of_many_payments() -> None:
    (one,) = members(1)
    tasks.follow_calendar(now=day(32))
    fee = Charge.objects.get(subscription=one, number=2)
    done = at_once(lambda number: paying.report(fee.pk, "paid", reference=f"bank-{number % 4}", now=day(33)), 40)
    told = [report for report in done if report is not None]
    assert (len(told), sum(report.fresh for report in told)) == (10, 1)
    assert fetch("SELECT count(*) FROM subscription_report WHERE charge_id = " + str(fee.pk)) == [(1,)]


def test_withdrawing_paying_renewing_and_cancelling_at_once_gives_money_back_once() -> None:
    found = members(8)

    def act(number: int) -> object:
        one, at = found[number % 8], day(2)
        if number % 5 == 0:
            return operations.withdraw(one.pk, declared_at=at, now=at)
        if number % 5 == 1:
            return operations.cancel(one.pk, Cancelling(at), now=at)
        if number % 5 == 2:
            declaring.declare(
                Declared("withdraw", "Anna", f"m{number % 8}@example.com", contract=one.number), source="page", now=at
            )
            return declaring.process(now=at)
        if number % 5 == 3:
            return paying.report(Charge.objects.get(subscription=one, kind="fee").pk, "paid", reference="b", now=at)
        return tasks.follow_calendar(now=at)

    at_once(act, 80)
    declaring.process(now=day(2))
    states = fetch("SELECT state, count(*) FROM subscription GROUP BY 1")
    assert states == [("withdrawn", 8)]
    query = "SELECT kind, state, count(*), sum(amount)::text FROM subscription_charge GROUP BY 1, 2 ORDER BY 1"
    assert fetch(query) == [("fee", "paid", 8, "79.20"), ("refund", "due", 8, "79.20")]
