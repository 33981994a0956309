"""The consent ledger: append-only, the latest declaration holds, addresses are suppressed by hash."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from loyalty.consent import queries
from loyalty.consent.models import ConsentEntry as Row
from loyalty.consent.models import ConsentState, Suppression
from loyalty.consent.operations import ConsentEntry, record, suppress, withdraw
from loyalty.customers.erasing import erase_customers
from loyalty.customers.models import CustomerChange
from loyalty.customers.operations import upsert_customers
from loyalty.kit.checks import invariants
from loyalty.kit.digests import address_digest
from loyalty.kit.problems import Problems
from loyalty.kit.sql import execute, fetch, sql

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def people(count: int) -> list[int]:
    rows = [{"external_id": f"c{i}", "email": f"c{i}@example.com"} for i in range(count)]
    ids = upsert_customers(rows, now=NOW, source="test").ids
    CustomerChange.objects.all().delete()
    return [one for one in ids if one]


def entry(customer_id: int, status: str, hours: int = -1, **changes: Any) -> ConsentEntry:
    given = {"channel": "email", "purpose": "marketing", "source": "shop", "at": NOW + timedelta(hours=hours)}
    return ConsentEntry(customer_id=customer_id, status=status, **{**given, **changes})


def state(customer_id: int) -> list[tuple[str, datetime]]:
    return list(ConsentState.objects.filter(customer_id=customer_id).values_list("status", "since"))


def holds() -> None:
    assert [one.key for one in invariants() if one.key.startswith("consent.") and fetch(one.query)] == []


def test_declarations_are_kept_with_proof_and_make_the_state() -> None:
    (ada,) = people(1)
    given = entry(ada, "granted", text_version="v3", evidence={"ip": "192.0.2.1"})
    assert record([given], now=NOW) == 1
    row = Row.objects.get()
    assert (row.customer_id, row.status, row.occurred_at, row.recorded_at) == (ada, "granted", given.at, NOW)
    assert (row.source, row.text_version, row.evidence) == ("shop", "v3", {"ip": "192.0.2.1"})
    assert state(ada) == [("granted", given.at)]
    assert list(CustomerChange.objects.values_list("customer_id", flat=True)) == [ada]
    assert queries.states([ada]) == {ada: {("email", "marketing"): "granted"}}
    holds()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
def test_the_latest_declaration_holds_whatever_the_order_of_arrival(order: tuple[int, ...]) -> None:
    (ada,) = people(1)
    entries = [entry(ada, "granted", -5), entry(ada, "withdrawn", -3), entry(ada, "granted", -2)]
    for place in order:
        assert record([entries[place]], now=NOW) == 1
    assert state(ada) == [("granted", NOW + timedelta(hours=-2))]
    holds()


def test_of_two_at_the_same_instant_the_withdrawal_holds() -> None:
    first, second, third = people(3)
    record([entry(first, "granted"), entry(first, "withdrawn")], now=NOW)
    record([entry(second, "granted")], now=NOW)
    record([entry(second, "withdrawn")], now=NOW)
    record([entry(third, "withdrawn")], now=NOW)
    record([entry(third, "granted")], now=NOW)
    assert [state(one)[0][0] for one in (first, second, third)] == ["withdrawn"] * 3
    holds()


def test_the_same_declaration_twice_is_one_and_moves_nothing() -> None:
    (ada,) = people(1)
    record([entry(ada, "granted")], now=NOW)
    CustomerChange.objects.all().delete()
    assert record([entry(ada, "granted")], now=NOW) == 0
    assert (Row.objects.count(), CustomerChange.objects.count()) == (1, 0)


def test_no_consent_without_source_and_time() -> None:
    (ada,) = people(1)
    wrong = [
        entry(ada, "granted", source=" "),
        entry(ada, "granted", at=datetime(2026, 1, 1)),
        entry(ada, "granted", hours=1),
        entry(ada, "maybe", channel="pigeon", purpose="transactional"),
    ]
    with pytest.raises(Problems) as refusal:
        record([*wrong, entry(ada, "granted")], now=NOW)
    assert [problem.where for problem in refusal.value.problems] == [
        *("[0].source", "[1].at", "[2].at", "[3].channel", "[3].purpose", "[3].status")
    ]
    assert Row.objects.count() == 0


def test_entries_about_people_who_are_gone_are_left_out() -> None:
    (ada,) = people(1)
    assert record([entry(ada, "granted"), entry(ada + 999, "granted")], now=NOW) == 1
    holds()


def test_the_database_itself_refuses_to_change_entries() -> None:
    (ada,) = people(1)
    record([entry(ada, "granted")], now=NOW)
    for statement in ("UPDATE consent_entry SET status = 'withdrawn'", "DELETE FROM consent_entry"):
        with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
            execute(statement)


def test_a_withdrawal_of_many_takes_the_same_number_of_queries() -> None:
    ids = people(50)
    counts = []
    for some in (ids[:1], ids):
        with CaptureQueriesContext(connection) as taken:
            withdraw(some, channel="email", source="call", at=NOW, now=NOW, purposes=("marketing", "profiling"))
        counts.append(len(taken))
    assert counts == [4, 4]
    assert ConsentState.objects.filter(status="withdrawn").count() == 100


def test_suppressed_addresses_are_hashes_that_meet_the_profile() -> None:
    first, second = people(2)
    assert suppress("email", addresses=["C0@EXAMPLE.com", "x@example.com"], reason="complaint", now=NOW) == 2
    assert suppress("email", addresses=["c0@example.com"], reason="complaint", now=NOW) == 0
    digest = address_digest("c0@example.com", key=settings.ADDRESS_KEY)
    assert bytes(Suppression.objects.get(digest=digest).digest) == digest
    assert list(CustomerChange.objects.values_list("customer_id", flat=True)) == [first]
    blocked = sql(
        "SELECT id FROM customer c WHERE {s} ORDER BY id",
        s=queries.suppressed("email", "marketing", sql("c.email_digest")),
    )
    assert fetch(blocked) == [(first,)]
    assert suppress("email", digests=[b"\1" * 16], customer_ids=[second], reason="hard_bounce", now=NOW) == 1
    assert list(CustomerChange.objects.order_by("id").values_list("customer_id", flat=True)) == [first, second]
    with pytest.raises(Problems, match="is not an email address"):
        suppress("email", addresses=["nobody"], reason="x", now=NOW)


def test_erasing_leaves_nothing_but_the_hash_of_who_objected() -> None:
    first, second = people(2)
    record([entry(first, "withdrawn"), entry(second, "granted")], now=NOW)
    assert erase_customers(customer_ids=[first, second, 999]) == 2
    assert (Row.objects.count(), ConsentState.objects.count()) == (0, 0)
    kept = Suppression.objects.get()
    assert (kept.channel, kept.purpose, kept.reason) == ("email", "marketing", "withdrawn")
    assert bytes(kept.digest) == address_digest("c0@example.com", key=settings.ADDRESS_KEY)
    assert fetch("SELECT count(*) FROM customer")[0][0] == 0
    assert fetch("SELECT count(*) FROM customer_change")[0][0] == 0
    holds()


def test_two_who_turn_out_to_be_one_have_declared_what_both_declared() -> None:
    from loyalty.consent.personal_data import merge

    first, second = people(2)
    record([entry(first, "granted", -3), entry(second, "withdrawn", -2), entry(second, "granted", -3)], now=NOW)
    with transaction.atomic():
        merge({second: first}, NOW)
    assert state(first) == [("withdrawn", NOW + timedelta(hours=-2))]
    assert Row.objects.filter(customer_id=first).count() == 2
    assert Row.objects.filter(customer_id=second).count() == 0
    holds()
