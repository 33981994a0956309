"""A person who got one mail."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest

from campaigns.delivery.ids import pack
from loyalty.kit import clock
from loyalty.kit.sql import execute, fetch, sql


class Mail(NamedTuple):
    customer_id: int
    message_id: int
    links: list[str]


Send = Callable[..., Mail]
_SETTINGS = json.dumps({"from_name": "Kaffeehaus Blum"})


def _customer(locale: str | None, email: str, phone: str | None) -> int:
    return int(
        fetch(
            sql(
                """INSERT INTO customer (email, phone, locale, attributes, created_at, updated_at)
                VALUES ({email}, {phone}, {locale}, '{{}}', now(), now()) RETURNING id""",
                email=email,
                phone=phone,
                locale=locale,
            )
        )[0][0]
    )


def _dispatch(links: list[str], html: str, channel: str, purpose: str) -> int:
    compiled = {
        "format": 1,
        "default": "de",
        "links": links,
        "locales": {"de": {"subject": "s", "html": html, "text": "", "links": links}},
    }
    return int(
        fetch(
            sql(
                """WITH s AS (
                    INSERT INTO sender (key, channel, provider, settings)
                    VALUES ('shop' || gen_random_uuid(), {channel}, 'email_smtp', {settings}::jsonb) RETURNING id
                ), t AS (
                    INSERT INTO template (key, channel, purpose)
                    VALUES ('offer' || gen_random_uuid(), {channel}, {purpose}) RETURNING id
                ), v AS (
                    INSERT INTO template_version (template_id, number, digest, source, compiled)
                    SELECT id, 1, 'd', '{{}}', {compiled}::jsonb FROM t RETURNING id
                ) INSERT INTO dispatch (flow_key, step, step_no, channel, purpose, template_version_id, sender_id)
                SELECT 'winback', 'hello', 1, {channel}, {purpose}, v.id, s.id FROM s, v RETURNING id""",
                channel=channel,
                purpose=purpose,
                settings=_SETTINGS,
                compiled=json.dumps(compiled),
            )
        )[0][0]
    )


def consent(
    customer_id: int, channel: str, purpose: str, status: str = "granted", *, at: datetime | None = None
) -> None:
    """What stands for this person, with the entry it comes from."""
    execute(
        sql(
            """WITH e AS (
                INSERT INTO consent_entry (customer_id, channel, purpose, status, occurred_at, recorded_at, source)
                VALUES ({id}, {channel}, {purpose}, {status}, {at}, {at}, 'test'))
            INSERT INTO consent_state (customer_id, channel, purpose, status, since)
            VALUES ({id}, {channel}, {purpose}, {status}, {at})
            ON CONFLICT (customer_id, channel, purpose)
                DO UPDATE SET status = excluded.status, since = excluded.since""",
            id=customer_id,
            channel=channel,
            purpose=purpose,
            status=status,
            at=at or clock.now() - timedelta(days=1),
        )
    )


def state(customer_id: int) -> dict[tuple[str, str], str]:
    rows = fetch(sql("SELECT channel, purpose, status FROM consent_state WHERE customer_id = {id}", id=customer_id))
    return {(channel, purpose): status for channel, purpose, status in rows}


def facts(name: str) -> list[tuple[int, int, dict[str, object] | None]]:
    """(customer, message, properties) of every fact of that name, oldest first."""
    rows = fetch(
        sql(
            """SELECT e.customer_id, e.ref, e.properties FROM event e JOIN event_type t ON t.id = e.type_id
            WHERE t.name = {name} ORDER BY e.occurred_at, e.id""",
            name=name,
        )
    )
    return [(customer, ref, json.loads(properties) if properties else None) for customer, ref, properties in rows]


def hits() -> list[tuple[str, bool | None, str]]:
    """(kind, machine, method) of every hit, oldest first."""
    return [tuple(row) for row in fetch("SELECT kind, machine, method FROM hit ORDER BY id")]  # type: ignore[misc]


@pytest.fixture
def send() -> Send:
    """Make a mail that was sent an hour ago, to a new person who consents to tracking and marketing."""

    def make(
        *,
        links: tuple[str, ...] = ("https://shop.example/offer",),
        html: str = "",
        tracked: bool = True,
        locale: str | None = "de",
        email: str = "anna@example.com",
        phone: str | None = None,
        channel: str = "email",
        purpose: str = "marketing",
    ) -> Mail:
        customer_id = _customer(locale, email, phone)
        dispatch_id = _dispatch(list(links), html, channel, purpose)
        number = {"email": 1, "sms": 2}[channel]
        message_id = pack(customer_id, 0, 1, number)
        execute(
            sql(
                """INSERT INTO message (id, customer_id, dispatch_id, channel, state, reason, attempt,
                    planned_at, due_at, entered_at, started_at, settled_at)
                VALUES ({id}, {customer}, {dispatch}, {channel}, 3, 0, 1, {at}, {at}, {at}, {at}, {at})""",
                id=message_id,
                customer=customer_id,
                dispatch=dispatch_id,
                channel=number,
                at=clock.now() - timedelta(hours=1),
            )
        )
        consent(customer_id, channel, "marketing")
        if tracked:
            consent(customer_id, "email", "tracking")
        return Mail(customer_id, message_id, list(links))

    return make
