"""From planned to settled with a provider that records."""

from datetime import timedelta

import pytest

from campaigns.channels import outcome
from campaigns.channels.providers.email_recording import planned_outcomes, recorded
from campaigns.delivery import queries
from campaigns.delivery.models import Message, State
from campaigns.delivery.operations import set_dispatch_state
from loyalty.kit.sql import execute
from tests.db.campaigns.delivery.world import (
    World,
    attempts,
    fact_names,
    reasons,
    states,
    verdicts,
    violations,
)


def test_everybody_gets_exactly_one_message_and_a_fact(world: World) -> None:
    people = world.customers(250)
    ids = world.plan(world.dispatch(), people)
    assert world.send() == 250
    assert states(ids) == [State.SENT] * 250
    assert sorted(email.id for email in recorded) == sorted(ids)
    assert {email.to for email in recorded} == {f"c{person}@example.com" for person in people}
    assert attempts(ids[0]) == [(1, "sent", None)]
    assert fact_names(people[0]) == ["message.sent"]
    assert world.send() == 0
    assert violations() == {}


def test_a_marketing_email_says_how_to_leave(world: World) -> None:
    world.plan(world.dispatch(), world.customers(1))
    world.send()
    email = recorded[0]
    assert email.unsubscribe_url is not None
    assert email.unsubscribe_url in email.html
    assert email.feedback_id == ":winback:hello:mail"
    assert "Recording" in email.html or "recording@example.com" in email.html or email.html


def test_links_are_plain_without_consent_to_tracking_and_tracked_with_it(world: World) -> None:
    silent, tracked = world.customers(2)
    world.consent([tracked], purpose="tracking")
    world.plan(world.dispatch(), [silent, tracked])
    world.send()
    mails = {email.to: email.html for email in recorded}
    assert "https://shop.example/sale" in mails[f"c{silent}@example.com"]
    assert "/t/c/" not in mails[f"c{silent}@example.com"]
    assert "/t/o/" not in mails[f"c{silent}@example.com"]
    assert "/t/c/" in mails[f"c{tracked}@example.com"]
    assert "/t/o/" in mails[f"c{tracked}@example.com"]


def test_what_cannot_be_rendered_is_skipped_alone_with_its_reason(world: World) -> None:
    version = world.template("strict", body=_body("{{ customer.shoe }}"), attributes=["shoe"])
    good = world.customers(3)
    execute('UPDATE customer SET attributes = \'{"shoe": 42, "attributes_missing": 1}\'')
    bad = world.customers(1)
    ids = world.plan(world.dispatch(template_version_id=version), good + bad)
    world.send()
    assert states(ids) == [State.SENT] * 3 + [State.SKIPPED]
    assert reasons(ids)[3] == "render_error"
    gate, code, facts = verdicts(ids[3])[0]
    assert (gate, code, facts["part"]) == ("render", "render_error", "html")
    assert violations() == {}


def test_a_retry_waits_and_is_sent_later(world: World) -> None:
    ids = world.plan(world.dispatch(), world.customers(2))
    planned_outcomes[ids[0]] = outcome.retry("450 busy", after=90, code="4.2.0")
    world.send()
    assert states(ids) == [State.PLANNED, State.SENT]
    waiting = Message.objects.get(pk=ids[0])
    assert waiting.due_at == world.now + timedelta(seconds=90)
    assert attempts(ids[0]) == [(1, "retry", "450 busy")]
    planned_outcomes.clear()
    assert world.send(now=world.now + timedelta(seconds=89)) == 0
    assert world.send(now=world.now + timedelta(seconds=90)) == 1
    assert states(ids) == [State.SENT, State.SENT]
    assert attempts(ids[0]) == [(1, "retry", "450 busy"), (2, "sent", None)]
    assert violations() == {}


def test_a_retry_is_given_up_after_three_days_and_five_tries(world: World) -> None:
    people = world.customers(1)
    ids = world.plan(world.dispatch(), people)
    planned_outcomes[ids[0]] = outcome.retry("450 busy", after=1)
    late = world.now + timedelta(hours=73)
    for hour in range(4):
        world.send(now=late + timedelta(hours=hour))
        assert states(ids) == [State.PLANNED]
    world.send(now=late + timedelta(hours=5))
    assert states(ids) == [State.FAILED]
    assert fact_names(people[0]) == ["message.failed"]
    assert violations() == {}


def test_a_dead_address_is_suppressed_but_a_policy_refusal_is_not(world: World) -> None:
    dead, unwanted = people = world.customers(2)
    first = world.plan(world.dispatch(), people)
    planned_outcomes[first[0]] = outcome.failed("5.1.1", "550 no such user", dead_address=True)
    planned_outcomes[first[1]] = outcome.failed("5.7.1", "550 policy", sender_problem=True)
    world.send()
    planned_outcomes.clear()
    assert states(first) == [State.FAILED, State.FAILED]
    second = world.plan(world.dispatch(step_no=2, step="again"), people)
    world.send()
    assert states(second) == [State.SKIPPED, State.SENT]
    assert reasons(second)[0] == "suppressed"
    assert verdicts(second[0])[0][2]["reason"] == "hard_bounce"
    assert fact_names(dead) == ["message.failed"]
    assert violations() == {}


def test_a_doubt_stays_a_doubt(world: World) -> None:
    ids = world.plan(world.dispatch(), world.customers(1))
    planned_outcomes[ids[0]] = outcome.in_doubt("no answer in time")
    world.send()
    planned_outcomes.clear()
    assert states(ids) == [State.IN_DOUBT]
    assert world.send(now=world.now + timedelta(days=2)) == 0
    assert [row["detail"] for row in queries.in_doubt()] == ["no answer in time"]
    assert violations() == {}


@pytest.mark.parametrize("state", ["paused", "stopped"])
def test_nothing_is_claimed_of_a_dispatch_that_does_not_run(world: World, state: str) -> None:
    dispatch = world.dispatch()
    ids = world.plan(dispatch, world.customers(3))
    assert set_dispatch_state(dispatch_ids=[dispatch.pk], state=state, now=world.now) == 1
    assert world.send() == 0
    assert states(ids) == [State.PLANNED] * 3
    set_dispatch_state(dispatch_ids=[dispatch.pk], state="running", now=world.now)
    world.send()
    assert states(ids) == ([State.SENT] if state == "paused" else [State.PLANNED]) * 3


def test_a_sender_with_wrong_settings_keeps_its_messages(world: World) -> None:
    sender = world.sender("broken", settings={"nonsense": 1})
    ids = world.plan(world.dispatch(sender_id=sender.pk), world.customers(2))
    assert world.send() == 0
    assert states(ids) == [State.PLANNED] * 2


def test_counts_add_up(world: World) -> None:
    dispatch = world.dispatch()
    sent, failed, doubt, held = (world.plan(dispatch, world.customers(n)) for n in (4, 3, 2, 1))
    skipped = world.plan(dispatch, world.customers(5, consent=None))
    for message_id in failed:
        planned_outcomes[message_id] = outcome.failed("5.0.0", "no")
    for message_id in doubt:
        planned_outcomes[message_id] = outcome.in_doubt("lost")
    for message_id in held:
        planned_outcomes[message_id] = outcome.retry("later")
    world.send()
    assert states(sent) == [State.SENT] * 4
    assert states(skipped) == [State.SKIPPED] * 5
    assert queries.counts([dispatch.pk])[dispatch.pk] == {
        "planned": 15, "sent": 4, "skipped": 5, "failed": 3, "pending": 1, "in_doubt": 2, "reasons": {"no_consent": 5},
    }  # fmt: skip


def _body(text: str) -> str:
    return (
        f"<mjml><mj-body><mj-section><mj-column><mj-text>{text}</mj-text><mj-text>"
        '<a href="{{ unsubscribe_url }}">Unsubscribe</a> {{ imprint }}</mj-text></mj-column></mj-section>'
        "</mj-body></mjml>"
    )
