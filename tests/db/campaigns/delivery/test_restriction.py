"""Who is restricted (Art. 18) gets nothing on any channel, whatever the purpose, also when it was planned before."""

from datetime import timedelta

import pytest

from campaigns.delivery.models import State
from loyalty.rights.operations import release, restrict
from tests.db.campaigns.delivery.world import World, reasons, states, verdicts, violations

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("purpose", ["marketing", "service", "transactional"])
def test_nothing_is_planned_for_them(world: World, purpose: str) -> None:
    people = world.customers(2)
    since = world.now - timedelta(days=1)
    restrict(customer_id=people[0], reason="contested", now=since, actor="ada")
    ids = world.plan(world.dispatch(purpose=purpose), people)
    assert reasons(ids) == ["suppressed", "-"]
    assert verdicts(ids[0]) == [
        ("suppression", "suppressed", {"reason": "restricted", "since": "2026-03-09T12:00:00+00:00"})
    ]
    assert violations() == {}


@pytest.mark.django_db(transaction=True)
def test_what_was_planned_before_is_not_sent(world: World) -> None:
    person = world.customers(1)[0]
    ids = world.plan(world.dispatch(), [person])
    restrict(customer_id=person, reason="contested", now=world.now, actor="ada")
    world.send()
    assert states(ids) == [State.SKIPPED]
    release(customer_id=person, now=world.now, actor="ada")
    again = world.plan(world.dispatch(step_no=2, step="two"), [person])
    world.send()
    assert states(again) == [State.SENT]


@pytest.mark.parametrize("channel", ["telegram", "push", "letter", "webhook", "sms", "whatsapp"])
def test_every_channel_asks(world: World, channel: str) -> None:
    from campaigns.delivery.guard import Scope, guards
    from loyalty.kit.sql import Sql, fetch, sql

    people = world.customers(2)
    restrict(customer_id=people[0], reason="contested", now=world.now, actor="ada")
    scope = Scope(channel, Sql("'marketing'::text"), Sql("now()"), Sql("c.id"), world.now)
    part = guards.get("suppression").part(scope)
    assert part is not None
    query = sql("SELECT c.id FROM customer c {joins} WHERE {refuses}", joins=part.joins, refuses=part.refuses)
    assert fetch(query) == [(people[0],)]
