"""What templates see of customers: plain values for a set of people, in one query however many they are."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings

from campaigns.content.values import Values, shielded
from loyalty.kit.sql import fetch, sql

COLUMNS = (
    "external_id", "email", "phone", "first_name", "last_name", "locale", "timezone", "country", "city", "postcode",
    "birth_date",
)  # fmt: skip


def customer_values(customer_ids: Sequence[int]) -> dict[int, Values]:
    """`customer` for each id: built-in fields and attributes by key. What is not known is left out. One query."""
    rows = fetch(
        sql(
            "SELECT id, external_id, email, phone, first_name, last_name, locale, timezone, country, city, postcode,"
            " birth_date, attributes::text FROM customer WHERE id = ANY({ids})",
            ids=list(customer_ids),
        )
    )
    found = {}
    for identity, *columns, attributes in rows:
        # Attributes first: a key of the same name never hides a built-in field.
        values = json.loads(attributes, parse_float=Decimal) if attributes != "{}" else {}
        values.update(zip(COLUMNS, columns, strict=True))
        found[identity] = shielded(values)
    return found


def event_values(event: Mapping[str, Any] | None) -> Values:
    """`event`: the properties of what triggered, with its `name` and `occurred_at`; empty without one.

    Takes `{"name", "occurred_at", "properties": {...}}` or the properties alone.
    """
    if not event:
        return Values()
    properties = event.get("properties")
    if not isinstance(properties, Mapping):
        return Values(shielded(event))
    return Values(shielded({**properties, **event}))


def sender_values(sender_settings: Mapping[str, Any]) -> tuple[Values, str]:
    """`sender` and `imprint` from a sender's settings; the imprint falls back to name and address."""
    shown = {key: sender_settings.get(key) for key in ("from_name", "from_email", "reply_to", "imprint")}
    name, email = shown["from_name"], shown["from_email"]
    imprint = shown["imprint"] or " ".join(str(part) for part in (name, email) if part)
    sender = shielded({**shown, "name": name, "email": email, "imprint": imprint})
    return sender, str(imprint)


def contexts(
    customer_ids: Sequence[int],
    *,
    now: datetime,
    events: Mapping[int, Mapping[str, Any]] | None = None,
    shared: Mapping[str, Any] | None = None,
) -> dict[int, dict[str, Any]]:
    """The context of each customer that exists: `customer`, `event`, `now` and what all share (`flow`, `sender`)."""
    common: dict[str, Any] = {
        "imprint": "",
        **{name: shielded(value) for name, value in (shared or {}).items()},
        "now": now.isoformat(),
        "_default_zone": settings.TIME_ZONE,
    }
    events = events or {}
    return {
        identity: {**common, "customer": values, "event": event_values(events.get(identity))}
        for identity, values in customer_values(customer_ids).items()
    }


def placeholders() -> dict[str, Any]:
    """What a preview shows where no flow, campaign or sender is known yet."""
    return {
        "flow": {"key": "preview", "name": "Preview"},
        "campaign": {"key": "preview", "name": "Preview"},
        "sender": {"name": "Sender", "email": "sender@example.com", "imprint": "Sender, Street 1, City"},
        "imprint": "Sender, Street 1, City",
        "confirm_url": f"{settings.PUBLIC_URL}/d/preview",
        **dict.fromkeys(("voucher", "offer"), {"code": "PREVIEW-CODE", "name": "Preview", "valid_until": None}),
        "points": {"program": "preview", "balance": 1250, "pending": 40, "tier": "gold", "tier_name": {}},
    }
