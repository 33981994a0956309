"""People, a sender, templates and a segment for flow tests."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from campaigns.flows import operations, runs, waking
from campaigns.flows.models import Flow
from loyalty.consent.operations import ConsentEntry, record
from loyalty.events import operations as events
from loyalty.events import partitions
from loyalty.kit.applying import apply_documents
from loyalty.kit.sql import execute, fetch

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

HTML = '<p>Hello</p><a href="https://shop.example.com/">Shop</a> <a href="{{ unsubscribe_url }}">Unsubscribe</a>'
BASE: list[dict[str, Any]] = [
    {
        "kind": "sender",
        "key": "shop",
        "channel": "email",
        "provider": "email_smtp",
        "settings": {
            "host": "127.0.0.1",
            "from_email": "shop@example.com",
            "from_name": "Shop",
            "imprint": "Shop Ltd, 1 High Street",
        },
    },
    {
        "kind": "template",
        "key": "hello",
        "channel": "email",
        "purpose": "marketing",
        "locales": {"en": {"subject": "Hello", "body": HTML}},
    },
    {"kind": "segment", "key": "everybody", "rule": {"all": [{"attribute": "email", "is_set": True}]}},
]


def put_everybody_in(at: datetime) -> None:
    """Makes all customers members of the segment."""
    execute(
        "INSERT INTO segment_member (segment_id, customer_id, since) SELECT s.id, c.id, %(at)s"
        " FROM segment s, customer c WHERE s.key = 'everybody' ON CONFLICT DO NOTHING",
        {"at": at},
    )


@pytest.fixture
def people(db: None) -> Callable[..., list[int]]:
    """Makes people with consent: `people(3, country="DE")`; their ids."""

    def make(n: int, *, country: str = "DE", timezone: str = "Europe/Berlin", consent: bool = True) -> list[int]:
        start = fetch("SELECT count(*) FROM customer")[0][0]
        ids = fetch(
            "INSERT INTO customer (external_id, email, email_digest, country, timezone, locale, attributes, created_at,"
            " updated_at) SELECT 'c' || i, 'c' || i || '@example.com', sha256(i::text::bytea), %(country)s, %(tz)s,"
            " 'en', '{}', %(now)s, %(now)s FROM generate_series(%(start)s + 1, %(start)s + %(n)s) AS i RETURNING id",
            {"start": start, "n": n, "country": country, "tz": timezone, "now": NOW},
        )
        if consent:
            entries = [ConsentEntry(row[0], "email", "marketing", "granted", "test", NOW) for row in ids]
            record(entries, now=NOW)
        return [row[0] for row in ids]

    return make


@pytest.fixture
def publish(db: None) -> Callable[..., Flow]:
    """Applies and publishes a flow of these steps: `publish(steps, reentry="always")`."""
    partitions.ensure(datetime(2026, 9, 1, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC))

    def make(steps: list[dict[str, Any]], *, at: datetime = NOW, **fields: Any) -> Flow:
        entry = fields.pop("entry", [{"segment_entered": "everybody"}])
        flow = {"kind": "flow", "key": "test", "entry": entry, "steps": steps, **fields}
        apply_documents([*BASE, flow], now=at)
        put_everybody_in(at)
        operations.publish(key="test", now=at)
        return Flow.objects.get(key="test")

    return make


@pytest.fixture
def enter() -> Callable[..., None]:
    """Runs all open bulk entries."""

    def run(at: datetime = NOW) -> None:
        while runs.advance_runs(now=at):
            pass

    return run


@pytest.fixture
def happen() -> Callable[..., None]:
    """Lets an event happen to people and the engine pull it: `happen(ids, "purchase", at=...)`."""

    def run(ids: list[int], name: str, *, at: datetime, pull: bool = True, **properties: Any) -> None:
        externals = dict(fetch("SELECT id, external_id FROM customer WHERE id = ANY(%(ids)s)", {"ids": ids}))
        batch = [
            {"customer": externals[i], "name": name, "occurred_at": at.isoformat(), "properties": properties}
            for i in ids
        ]
        taken = events.intake(events=batch, now=at, source="test")
        assert taken.accepted == len(ids), taken
        if pull:
            while waking.pull(now=at):
                pass

    return run
