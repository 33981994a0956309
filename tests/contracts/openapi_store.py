"""A small store in which the calls of the API find something, and the names of what is in it."""

import json
from typing import Any

from django.test import Client

from loyalty.kit.applying import apply_documents
from loyalty.kit.clock import now
from loyalty.kit.sql import fetch

POINTS = {"type": "points", "points": 50}
TEXTS = {"en": {"subject": "Hi", "body": '<p>{{ customer.first_name }} <a href="{{ unsubscribe_url }}">no</a></p>'}}
ADDRESS = {"name": "Anna", "street": "Weg 1", "postcode": "50667", "city": "Köln", "country": "DE"}
DOCUMENTS: list[dict[str, Any]] = [
    {"kind": "sender", "key": "x", "channel": "email", "provider": "email_recording", "settings": {}},
    {"kind": "template", "key": "x", "channel": "email", "purpose": "marketing", "sender": "x", "locales": TEXTS},
    {"kind": "program", "key": "club", "wallets": [{"key": "points", "transfer_limit": 1000}]},
    {"kind": "tier", "key": "gold", "rank": 1, "threshold": 100},
    {"kind": "earning_rule", "key": "base", "type": "per_purchase", "points": 1, "per": 1},
    {"kind": "segment", "key": "x", "rule": {"attribute": "country", "eq": "DE"}},
    {"kind": "goal", "key": "x", "event": "purchase", "value": "amount"},
    {"kind": "event_type", "key": "x", "properties": {"amount": {"type": "number", "required": True}}},
    {"kind": "topic", "key": "x", "name": {"en": "Coffee"}},
    {"kind": "voucher_pool", "key": "x", "codes": {"pattern": "WEL-?????-?????"},
     "benefit": {"type": "percent", "percent": 10}},
    {"kind": "offer", "key": "x", "benefit": {"type": "multiplier", "times": 2}, "activate": True},
    {"kind": "reward", "key": "x", "type": "physical", "name": {"en": "Mug"}, "prices": [{"points": 10}], "stock": 5},
    {"kind": "card_series", "key": "x", "prefix": "2790", "digits": 13, "order": "random", "holder": "member"},
    {"kind": "challenge", "key": "x", "event": "visit", "target": 3, "join": "explicit", "prizes": [POINTS]},
    {"kind": "stamp_card", "key": "x", "size": 3, "prizes": [POINTS]},
    {"kind": "badge", "key": "x", "name": {"en": "Friend"}},
    {
        "kind": "game", "key": "x", "type": "scratch_card", "name": {"en": "Summer"}, "from": "2020-01-01",
        "to": "2099-12-31", "free": {"max": 2, "per": "day"},
        "organizer": {"name": "Shop", "address": "Weg 1, Berlin", "contact": "game@shop.example"},
        "prizes": [{"key": "all", "name": "Fifty", "odds": 1, "prize": POINTS}],
    },
    {
        "kind": "partner", "key": "x", "name": {"en": "Bakery"}, "stores": ["s1"],
        "rates": [{"from": "2026-01-01", "earn": 0.01, "burn": 0.008, "fee": 10}],
    },
    {"kind": "foreign_program", "key": "x", "rate": 0.5},
    {
        "kind": "flow", "key": "x", "entry": [{"event": "purchase"}, {"api": True}],
        "steps": [{"id": "hello", "type": "send", "template": "x"}],
    },
]  # fmt: skip


def fill(client: Client) -> dict[str, list[Any]]:
    """Put a little of everything in; what placeholders and fields of that name may be called, by their name."""
    apply_documents(DOCUMENTS, now=now())
    ids: dict[str, list[Any]] = {
        "external_id": ["anna", "bert"], "customer": ["anna", "bert"], "key": ["x"], "kind": ["card"],
        "series": ["x"], "wallet": ["points"],
        "program": ["club"], "tier": ["gold"], "reward": ["x"], "pool": ["x"], "segment": ["x"],
        "template": ["x"], "name": ["purchase"], "event": ["purchase"], "goal": ["x"], "store": ["s1"], "to": ["bert"],
        "other": ["bert"], "topics": ["x"], "with": ["bert"],
    }  # fmt: skip

    def call(method: str, path: str, body: Any = None) -> Any:
        sent = "" if body is None else json.dumps(body)
        response = client.generic(method, f"/api/v1/{path}", sent, content_type="application/json")
        assert response.status_code < 300, (path, response.content)
        return response.json()

    return ids | _deeds(call)


def _deeds(call: Any) -> dict[str, list[Any]]:
    """People, a purchase, and one of everything that is numbered."""
    given = {"channel": "email", "purpose": "marketing", "status": "granted", "source": "till"}
    given["at"] = "2026-01-02T03:04:05Z"
    usual = {"birth_date": "1990-05-05", "country": "DE", "consents": [given]}
    people = [{"external_id": name, "email": f"{name}@example.com", **usual} for name in ("anna", "bert", "carl")]
    call("POST", "customers/batch", {"customers": people})
    call("POST", "events/batch", {"events": [{"customer": "anna", "name": "purchase", "properties": {"amount": 9.9}}]})
    for person in ("anna", "bert"):
        call("POST", "loyalty/members", {"customer": person})
        lines = [{"sku": "tea", "quantity": 2, "price": 250}]
        call("POST", "loyalty/transactions/commit", {"id": person, "customer": person, "items": lines})
    call("POST", "customers/bert/merge", {"with": "carl"})
    call("POST", "loyalty/cards/batches", {"series": "x", "amount": 3})
    call("POST", "loyalty/members/anna/cards")
    call("POST", "loyalty/members/anna/holds", {"points": 5})
    call("POST", "rights-requests", {"customer": "anna", "kind": "access"})
    call("POST", "loyalty/redemptions", {"customer": "anna", "reward": "x", "address": ADDRESS})
    cards = [row[0] for row in fetch("SELECT number FROM card ORDER BY id")]
    numbered = {
        "batch": ("card_batch", "id"),
        "hold_id": ("hold", "booking_id"),
        "request_id": ("rights_request", "id"),
        "redemption_id": ("reward_redemption", "id"),
        "merge_id": ("customer_merge", "id"),
    }
    ids = {
        name: [row[0] for row in fetch(f"SELECT {column} FROM {table}")] for name, (table, column) in numbered.items()
    }
    return ids | dict.fromkeys(("number", "card", "value", "gone"), cards)
