"""Whom no channel reaches: each of the reasons alone, and what does not count as one."""

from datetime import UTC, datetime, timedelta

import pytest

from loyalty.consent import operations
from loyalty.consent.entries import ConsentEntry
from loyalty.customers import measuring
from loyalty.customers.models import Customer
from loyalty.customers.operations import upsert_customers
from loyalty.customers.quality import check_of

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_unreachable() -> None:
    granted = ["fine", "texts", "no_address", "withdrawn", "listed", "other_list", "restricted"]
    names = ["fine", "texts", "nothing", "withdrawn", "service", "listed", "other_list", "restricted", "push"]
    people = [{"external_id": name, "email": f"{name}@example.com"} for name in names]
    people += [{"external_id": "no_address", "phone": "+491711234567"}, {"identities": {"anonymous_id": "visitor"}}]
    upsert_customers(people, now=NOW, source="test")
    ids = dict(Customer.objects.exclude(external_id=None).values_list("external_id", "id"))
    Customer.objects.filter(external_id="texts").update(phone="+491711234568")
    Customer.objects.filter(external_id="restricted").update(restricted_at=NOW)

    def entry(name: str, channel: str = "email", purpose: str = "marketing", status: str = "granted") -> ConsentEntry:
        at = NOW - timedelta(days=2 if status == "granted" else 1)
        return ConsentEntry(ids[name], channel, purpose, status, "till", at)

    operations.record(
        [
            *(entry(name) for name in granted),
            entry("withdrawn", status="withdrawn"),
            entry("service", purpose="service"),
            entry("texts", "sms"),
            entry("push", "push"),
        ],
        now=NOW,
    )
    operations.suppress("email", addresses=["listed@example.com", "texts@example.com"], reason="bounced", now=NOW)
    operations.suppress("email", addresses=["other_list@example.com"], reason="asked", purpose="service", now=NOW)
    check = check_of("consent.unreachable")
    assert check is not None
    assert [customer.external_id for customer, _same in measuring.people(check, now=NOW).rows] == [
        "nothing", "withdrawn", "service", "listed", "restricted", "push", "no_address",
    ]  # fmt: skip
