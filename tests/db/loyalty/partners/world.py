"""Two partners of a small program, for tests."""

import json
from datetime import UTC, datetime
from typing import Any

from django.test import Client

from loyalty.kit.applying import apply_documents
from loyalty.kit.checks import invariants, verdict
from loyalty.partners import operations, settlement
from loyalty.partners.models import Partner
from loyalty.program.setup import Setup
from tests.db.loyalty.program.club import BASE, applied

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
BAKERY: dict[str, Any] = {
    "kind": "partner",
    "key": "bakery",
    "name": {"en": "Bakery", "de": "Bäckerei"},
    "stores": ["bakery-1", "bakery-2"],
    "rates": [{"from": "2026-01-01", "earn": 0.01, "burn": 0.008, "fee": 10}],
    "tax": 19,
    "contract": {
        "fields": [
            {"field": "balance", "to": "members", "why": {"en": "to pay with points"}},
            {"field": "first_name", "why": {"en": "to greet you"}},
            {"field": "email", "to": "consented", "why": {"en": "to write to you"}},
        ],
        "contact": "privacy@example.com",
    },
}
FUEL: dict[str, Any] = {
    "kind": "partner",
    "key": "fuel",
    "stores": ["pump"],
    "rates": [{"from": "2026-01-01", "earn": 0.02, "burn": 0.01}],
}


def club(*documents: dict[str, Any]) -> Setup:
    """A program that gives a point for each euro, with both partners."""
    setup = applied(BASE)
    apply_documents([BAKERY, FUEL, *documents], now=NOW)
    return setup


def partner(key: str = "bakery") -> Partner:
    return Partner.objects.select_related("program").get(key=key)


def settle() -> int:
    """Work off the whole queue."""
    done = 0
    while found := settlement.follow():
        done += found
    return done


def violations() -> dict[str, int]:
    """Invariants of this package that do not hold."""
    found = [verdict(one) for one in invariants() if one.key.startswith(("partners.", "finance."))]
    assert found
    return {one.key: one.violations or -1 for one in found if not one.holds}


class Caller:
    """A client with a key of a partner."""

    def __init__(self, key: str = "bakery") -> None:
        self.client = Client()
        self.key = operations.create_key(partner=partner(key), now=NOW).secret

    def raw(self, method: str, path: str, body: Any = None) -> Any:
        return getattr(self.client, method)(
            f"/api/v1/loyalty/{path}",
            data=None if body is None else json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.key}"},
        )

    def __call__(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        response = self.raw(method, path, body)
        assert response.status_code == status, response.content
        return response.json()
