"""Who is silent: only what people did themselves counts, and only of two years."""

from datetime import UTC, datetime, timedelta

import pytest

from loyalty.customers import measuring
from loyalty.customers.models import Customer
from loyalty.customers.operations import upsert_customers
from loyalty.customers.quality import check_of
from loyalty.events import facts, operations, partitions
from loyalty.events.names import FACTS
from loyalty.events.quality import _OWN_FACTS
from loyalty.kit.sql import sql

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BORDER = datetime(2024, 3, 1, 12, tzinfo=UTC)


def test_silent() -> None:
    names = ["buyer", "late_buyer", "border", "written_to", "clicked", "nothing"]
    people = [{"external_id": name} for name in names]
    upsert_customers([*people, {"identities": {"anonymous_id": "visitor"}}], now=BORDER, source="test")
    upsert_customers([{"external_id": "young"}], now=BORDER + timedelta(seconds=1), source="test")
    partitions.ensure(BORDER - timedelta(days=1), NOW)
    ids = dict(Customer.objects.exclude(external_id=None).values_list("external_id", "id"))
    done = [("buyer", BORDER + timedelta(seconds=1)), ("border", BORDER), ("late_buyer", BORDER - timedelta(seconds=1))]
    sent = operations.intake(
        events=[{"customer": name, "name": "purchase", "occurred_at": at.isoformat()} for name, at in done],
        now=NOW,
        source="test",
    )
    assert sent.accepted == 3
    told = [("message.sent", "written_to"), ("message.opened", "written_to"), ("message.clicked", "clicked")]
    for fact, name in told:
        facts.write(fact, sql("SELECT {id}::bigint, {now}::timestamptz, 1::bigint, NULL::jsonb", id=ids[name], now=NOW))
    check = check_of("events.silent")
    assert check is not None
    assert sorted(customer.external_id or "" for customer, _same in measuring.people(check, now=NOW).rows) == [
        "border", "late_buyer", "nothing", "written_to",
    ]  # fmt: skip


def test_facts_of_the_persons_own_doing_are_facts() -> None:
    assert set(_OWN_FACTS) <= FACTS.keys()
