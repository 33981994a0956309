"""A shop with two mails and a text message that can be clicked, and people who buy."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from django.utils import timezone

from campaigns.attribution import tasks
from campaigns.delivery.ids import pack
from campaigns.planning.definition import GoalDocument
from campaigns.planning.operations import save_goal
from loyalty.events import facts
from loyalty.events.operations import intake
from loyalty.kit.sql import execute, fetch, sql

NOW = timezone.now().replace(microsecond=0)
CHANNELS = {"email": 1, "sms": 2}


def ago(**span: float) -> datetime:
    """That long before the fixed instant of these tests."""
    return NOW - timedelta(**span)


class Shop(NamedTuple):
    """`dispatches` by step: welcome (email), nudge (email), text (sms)."""

    dispatches: dict[str, int]

    def person(self, name: str) -> int:
        return int(
            fetch(
                sql(
                    """INSERT INTO customer (external_id, attributes, created_at, updated_at)
                    VALUES ({name}, '{{}}', now(), now()) RETURNING id""",
                    name=name,
                )
            )[0][0]
        )

    def message(self, customer_id: int, step: str) -> int:
        """A message that this step sent to this person."""
        number = CHANNELS["sms" if step == "text" else "email"]
        message_id = pack(customer_id, list(self.dispatches).index(step), 1, number)
        execute(
            sql(
                """INSERT INTO message (id, customer_id, dispatch_id, channel, state, reason, attempt, planned_at,
                    due_at, entered_at, started_at, settled_at)
                VALUES ({id}, {customer}, {dispatch}, {channel}, 3, 0, 1, {at}, {at}, {at}, {at}, {at})
                ON CONFLICT DO NOTHING""",
                id=message_id,
                customer=customer_id,
                dispatch=self.dispatches[step],
                channel=number,
                at=ago(days=30),
            )
        )
        return message_id

    def click(self, customer_id: int, step: str, at: datetime, fact: str = "message.clicked") -> int:
        message_id = self.message(customer_id, step)
        facts.write(
            fact,
            sql("SELECT {c}::bigint, {at}::timestamptz, {m}::bigint, NULL::jsonb", c=customer_id, at=at, m=message_id),
        )
        return message_id

    def buy(self, name: str, at: datetime, amount: Any = 10, *, event: str = "purchase", **properties: Any) -> None:
        number = fetch("SELECT count(*) FROM event")[0][0]
        result = intake(
            events=[
                {
                    "id": f"{name}-{number}",
                    "customer": name,
                    "name": event,
                    "occurred_at": at.isoformat(),
                    "properties": {"amount": amount, **properties},
                }
            ],
            now=NOW,
            source="test",
        )
        assert result.rejected == []


@pytest.fixture
def shop() -> Shop:
    dispatches = {}
    for number, (step, channel) in enumerate([("welcome", "email"), ("nudge", "email"), ("text", "sms")]):
        row = fetch(
            sql(
                """WITH s AS (
                    INSERT INTO sender (key, channel, provider) VALUES ({key}, {channel}, 'email_smtp') RETURNING id)
                INSERT INTO dispatch (flow_id, flow_key, flow_version, campaign_key, step, step_no, channel, purpose,
                    template_version_id, sender_id)
                SELECT 1, 'winback', 1, 'autumn', {step}, {number}, {channel}, 'marketing', 1, id FROM s
                RETURNING id""",
                key=f"sender-{step}",
                channel=channel,
                step=step,
                number=number,
            )
        )
        dispatches[step] = int(row[0][0])
    return Shop(dispatches)


def goal(**fields: Any) -> int:
    """Save the goal `order` (a purchase, by amount, within 7 days) with some fields changed; its id."""
    document = {"key": "order", "event": "purchase", "value": "amount"} | fields
    save_goal(GoalDocument.model_validate(document), now=NOW)
    return int(fetch(sql("SELECT id FROM goal WHERE key = {key}", key=document["key"]))[0][0])


def settle(now: datetime = NOW) -> None:
    """Tick until idle."""
    for _round in range(50):
        if not tasks.convert(now=now) + tasks.credit(now=now):
            return
    raise AssertionError("never idle")


Credit = tuple[str, str | None, Decimal, Decimal]


def credits(model: str, customer_id: int | None = None) -> list[Credit]:
    """(channel, step, share, value) by conversion and touch."""
    rows = fetch(
        sql(
            """SELECT k.channel, d.step, k.share, k.value FROM credit k JOIN conversion c ON c.id = k.conversion_id
            LEFT JOIN dispatch d ON d.id = k.dispatch_id
            WHERE k.model = {model} AND ({customer}::bigint IS NULL OR c.customer_id = {customer})
            ORDER BY c.occurred_at, c.customer_id, k.touch_no""",
            model=model,
            customer=customer_id,
        )
    )
    return [tuple(row) for row in rows]


def everything() -> list[tuple[Any, ...]]:
    """All credit, comparable between runs whatever the ids of events are."""
    return fetch(
        """SELECT c.customer_id, c.occurred_at, c.value, k.model, k.touch_no, k.message_id, k.channel, k.touched_at,
            k.share, k.value
        FROM credit k JOIN conversion c ON c.id = k.conversion_id ORDER BY 1, 2, 3, 4, 5, 6"""
    )
