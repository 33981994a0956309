"""Funnel and days: exact figures from a small shop."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.attribution.tasks import convert, credit
from campaigns.delivery.ids import pack
from campaigns.flows import queries as flows
from campaigns.flows.models import Flow
from campaigns.planning.definition import GoalDocument
from campaigns.planning.models import Goal
from campaigns.planning.operations import save_goal
from campaigns.reports.queries import Day, daily, funnel
from loyalty.events import facts, types
from loyalty.events.operations import intake
from loyalty.kit.sql import execute, fetch, sql

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.fixture
def flow() -> Flow:
    """Two people got `hello` from a flow, one clicked twice and bought for 40; a third bought for 2 unasked."""
    flow = Flow.objects.create(key="winback", definition={}, state="running", created_at=NOW, updated_at=NOW)
    dispatch = fetch(
        sql(
            """WITH s AS (INSERT INTO sender (key, channel, provider) VALUES ('s', 'email', 'email_smtp') RETURNING id)
            INSERT INTO dispatch (flow_id, flow_key, flow_version, step, step_no, channel, purpose,
                template_version_id, sender_id)
            SELECT {flow}, 'winback', 1, 'hello', 1, 'email', 'marketing', 1, id FROM s RETURNING id""",
            flow=flow.pk,
        )
    )[0][0]
    save_goal(GoalDocument(key="order", event="purchase", value="amount"), now=NOW)
    people = {}
    for name in ("anna", "ben", "cleo"):
        people[name] = fetch(
            sql(
                """INSERT INTO customer (external_id, attributes, created_at, updated_at)
                VALUES ({name}, '{{}}', now(), now()) RETURNING id""",
                name=name,
            )
        )[0][0]
    for name in ("anna", "ben"):
        _sent(people[name], dispatch)
    for kind, hours in (("click", 5), ("click", 4), ("open", 6)):
        _hit(people["anna"], kind, NOW - timedelta(hours=hours))
    _hit(people["ben"], "click", NOW, machine=True)
    events: list[dict[str, Any]] = [
        {"id": "1", "customer": "anna", "name": "purchase", "properties": {"amount": 40}},
        {"id": "2", "customer": "cleo", "name": "purchase", "properties": {"amount": 2}},
    ]
    intake(events=[event | {"occurred_at": NOW.isoformat()} for event in events], now=NOW)
    while convert(now=NOW) + credit(now=NOW):
        pass
    return flow


def _sent(customer_id: int, dispatch_id: int) -> None:
    at = NOW - timedelta(days=1)
    message_id = pack(customer_id, 0, 1, 1)
    execute(
        sql(
            """INSERT INTO message (id, customer_id, dispatch_id, channel, state, reason, attempt, planned_at,
                due_at, entered_at, started_at, settled_at)
            VALUES ({id}, {customer}, {dispatch}, 1, 3, 0, 1, {at}, {at}, {at}, {at}, {at})""",
            id=message_id,
            customer=customer_id,
            dispatch=dispatch_id,
            at=at,
        )
    )
    _fact("message.sent", customer_id, at)


def _hit(customer_id: int, kind: str, at: datetime, *, machine: bool = False) -> None:
    execute(
        sql(
            """INSERT INTO hit (kind, message_id, customer_id, at, machine, method)
            VALUES ({kind}, {message}, {customer}, {at}, {machine}, 'GET')""",
            kind=kind,
            message=pack(customer_id, 0, 1, 1),
            customer=customer_id,
            at=at,
            machine=machine,
        )
    )
    if not machine:
        _fact("message.clicked" if kind == "click" else "message.opened", customer_id, at)


def _fact(name: str, customer_id: int, at: datetime) -> None:
    row = sql(
        "SELECT {customer}::bigint, {at}::timestamptz, {message}::bigint, NULL::jsonb",
        customer=customer_id,
        at=at,
        message=pack(customer_id, 0, 1, 1),
    )
    facts.write(name, row)


def test_days_include_empty_ones_and_count_in_the_zone(flow: Flow) -> None:
    days = daily(first=date(2026, 11, 8), last=date(2026, 11, 11), zone="Europe/Berlin")
    assert days == [
        Day(date(2026, 11, 8), 0, 0, 0),
        Day(date(2026, 11, 9), 2, 0, 0),
        Day(date(2026, 11, 10), 0, 2, 2),
        Day(date(2026, 11, 11), 0, 0, 0),
    ]
    tokyo = daily(first=date(2026, 11, 9), last=date(2026, 11, 11), zone="Pacific/Kiritimati")
    assert [(day.sent, day.clicked, day.converted) for day in tokyo] == [(0, 0, 0), (2, 2, 0), (0, 0, 2)]


def test_days_of_one_flow_and_goal(flow: Flow) -> None:
    goal = Goal.objects.get()
    only = daily(first=date(2026, 11, 9), last=date(2026, 11, 10), zone="UTC", flow_key="winback", goal_id=goal.id)
    assert [(day.sent, day.clicked, day.converted) for day in only] == [(2, 0, 0), (0, 2, 1)]
    other = daily(first=date(2026, 11, 9), last=date(2026, 11, 10), zone="UTC", flow_key="other", goal_id=goal.id + 1)
    assert {(day.sent, day.clicked, day.converted) for day in other} == {(0, 0, 0)}


def test_days_cost_one_query(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    # A process remembers the types once their transaction has committed, which that of a test never does.
    monkeypatch.setattr(types, "_ids", dict(fetch("SELECT name, id FROM event_type")))
    with CaptureQueriesContext(connection) as queries:
        daily(first=date(2026, 1, 1), last=date(2026, 12, 31), zone="UTC", flow_key="winback", goal_id=1)
    assert len(queries) == 1, [query["sql"][:300] for query in queries]


def test_funnel_adds_what_readers_did(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "stats", lambda found: {"flow": found.key, "steps": [{"id": "hello"}, {"id": "wait"}]})
    steps = funnel(flow, goal_id=Goal.objects.get().id)["steps"]
    assert steps == [
        {
            "id": "hello",
            "responses": {"opened": 1, "clicked": 1, "unsubscribed": 0, "conversions": 1.0, "revenue": 40.0},
        },
        {"id": "wait", "responses": None},
    ]
    assert funnel(flow)["steps"][0]["responses"] == {"opened": 1, "clicked": 1, "unsubscribed": 0}


def test_funnel_of_the_real_flow_keeps_its_figures(flow: Flow) -> None:
    answer = funnel(flow, goal_id=Goal.objects.get().id)
    assert answer["messages"]["planned"] == answer["messages"]["sent"] == 2
