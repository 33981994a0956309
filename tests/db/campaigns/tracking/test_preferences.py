"""The preference page: topics, break, how often, history; and that the outbox keeps what was chosen."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from campaigns.delivery import links
from campaigns.delivery.models import Dispatch, State
from loyalty.consent import choices, existing
from loyalty.consent.choices import Choices, Frequency
from loyalty.consent.models import ChoiceEntry, ContactPreference, TopicChoice
from loyalty.consent.topics import read, save
from loyalty.kit import clock
from loyalty.kit.problems import Problems
from loyalty.kit.sql import execute, fetch
from tests.db.campaigns.delivery.world import World, reasons, states, verdicts, violations
from tests.db.campaigns.tracking.conftest import Send, facts, state

pytestmark = pytest.mark.django_db


@pytest.fixture
def topics() -> None:
    for key, name, channels in (("coffee", "Kaffee", []), ("tea", "Tee", ["email"]), ("fax", "Fax", ["telegram"])):
        save(
            read({"kind": "topic", "key": key, "name": {"en": key, "de": name}, "channels": channels}), now=clock.now()
        )


@pytest.fixture
def world() -> World:
    return World(now=clock.now()).prepare()


def page_of(customer_id: int) -> str:
    return f"/p/{links.preferences_token(customer_id)}"


def form(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "email.marketing": "on", "shown": ["coffee", "tea"], "topic.coffee": "on", "topic.tea": "on",
        "frequency": "any", "pause": "none",
    }  # fmt: skip
    given |= changes
    return {name: value for name, value in given.items() if value is not None}


def test_what_is_chosen_is_held_and_logged_and_shown(send: Send, topics: None) -> None:
    person = send().customer_id
    url = page_of(person)
    shown = Client().get(url).content.decode()
    assert "Tee" in shown
    assert "Fax" not in shown
    answer = Client().post(url, form(**{"topic.tea": None, "frequency": "week.1", "pause": "30"}))
    assert answer.status_code == 200
    held = choices.current(person)
    assert (held.topics, held.frequency) == ({"tea": False}, Frequency(1, "week"))
    assert held.paused_until is not None
    assert timedelta(days=29) < held.paused_until - clock.now() <= timedelta(days=30)
    logged = ChoiceEntry.objects.order_by("id").values_list("kind", "topic", "value", "source")
    assert [(kind, topic, source) for kind, topic, _value, source in logged] == [
        ("topic", "tea", "preference_page"),
        ("pause", "", "preference_page"),
        ("frequency", "", "preference_page"),
    ]
    text = answer.content.decode()
    assert "Topic Tee: off" in text or "Thema Tee" in text
    # The same again changes nothing; a page that was opened before changes only what it showed.
    Client().post(url, form(**{"topic.tea": None, "frequency": "week.1", "pause": "keep"}))
    Client().post(url, {"email.marketing": "on"})
    assert (ChoiceEntry.objects.count(), choices.current(person)) == (3, held)
    Client().post(url, form())
    assert choices.current(person) == Choices({"tea": True})
    assert (ContactPreference.objects.count(), ChoiceEntry.objects.count()) == (0, 6)


def test_getting_the_page_changes_nothing(send: Send, topics: None) -> None:
    person = send().customer_id
    before = state(person)
    for _round in range(3):
        Client().get(page_of(person) + "?nothing=1&pause=30")
    assert (state(person), ChoiceEntry.objects.count()) == (before, 0)


def test_one_click_withdraws_everything_and_the_facts_say_so(send: Send, topics: None) -> None:
    mail = send(phone="+491701234567")
    Client().post(page_of(mail.customer_id), {"nothing": "1"})
    assert state(mail.customer_id) == {("email", "marketing"): "withdrawn", ("email", "tracking"): "withdrawn"}
    assert [properties["purpose"] for _, _, properties in facts("consent.withdrawn")] == ["marketing", "tracking"]
    assert ChoiceEntry.objects.count() == 0


def test_an_existing_customer_objects_by_one_click(send: Send, settings: Any) -> None:
    settings.EXISTING_CUSTOMER_ADS = True
    person = send().customer_id
    execute(f"DELETE FROM consent_state WHERE customer_id = {person}")
    basis = existing.Basis(person, "coffee", clock.now() - timedelta(days=3), "You may object", "shop")
    assert existing.record_bases([basis, basis], now=clock.now()) == 1
    assert existing.bases_of(person)[0]["objected_at"] is None
    Client().post(page_of(person), {"nothing": "1"})
    assert state(person) == {("email", "marketing"): "withdrawn"}
    assert existing.bases_of(person)[0]["objected_at"] is not None
    again = existing.Basis(person, "coffee", clock.now(), "You may object", "shop")
    assert existing.record_bases([again], now=clock.now()) == 0


def test_the_log_only_grows(send: Send, topics: None) -> None:
    choices.save(customer_id=send().customer_id, choices=Choices({"tea": False}), source="test", now=clock.now())
    from django.db import IntegrityError, transaction

    for statement in ("UPDATE choice_entry SET value = 'true'", "DELETE FROM choice_entry"):
        with pytest.raises(IntegrityError), transaction.atomic():
            execute(statement)


def test_a_wish_that_is_none_is_refused(send: Send) -> None:
    with pytest.raises(Problems) as refused:
        choices.save(
            customer_id=send().customer_id,
            choices=Choices(frequency=Frequency(0, "day")),
            source="test",
            now=clock.now(),
        )
    assert [problem.where for problem in refused.value.problems] == ["frequency.at_most", "frequency.per"]


def with_topic(world: World, topic: str | None = "tea", **fields: Any) -> Dispatch:
    dispatch = world.dispatch(**fields)
    Dispatch.objects.filter(pk=dispatch.pk).update(topic=topic)
    dispatch.refresh_from_db()
    return dispatch


def test_a_topic_that_is_off_is_skipped_and_says_why(world: World, topics: None) -> None:
    off, on, never = people = world.customers(3)
    for person, wanted in ((off, False), (on, True)):
        TopicChoice.objects.create(customer_id=person, topic="tea", wanted=wanted, since=world.now)
    ids = world.plan(with_topic(world), people)
    assert reasons(ids) == ["no_consent", "-", "-"]
    assert verdicts(ids[0])[0][0] == "preference_topic"
    assert verdicts(ids[0])[0][2]["topic"] == "tea"
    # Switched off after planning: seen at the start. A send without a topic is not concerned.
    TopicChoice.objects.create(customer_id=never, topic="tea", wanted=False, since=world.now)
    other = world.plan(with_topic(world, None, step_no=2), people)
    world.send()
    assert reasons(ids) == ["no_consent", "-", "no_consent"]
    assert states(other) == [State.SENT] * 3
    assert violations() == {}


@pytest.mark.parametrize(
    ("purpose", "expected"), [("marketing", "suppressed"), ("service", "-"), ("transactional", "-")]
)
def test_a_pause_stops_advertising_until_it_is_over(world: World, purpose: str, expected: str) -> None:
    paused, over = people = world.customers(2)
    for person, until in ((paused, 1), (over, -1)):
        ContactPreference.objects.create(
            customer_id=person, paused_until=world.now + timedelta(days=until), since=world.now
        )
    ids = world.plan(world.dispatch(purpose=purpose), people)
    assert reasons(ids) == [expected, "-"]
    if expected != "-":
        assert [(gate, code) for gate, code, _ in verdicts(ids[0])] == [("preference_pause", "suppressed")]


def test_no_more_than_the_wish_goes_out_in_the_time_also_of_one_set(world: World) -> None:
    wishing, free = people = world.customers(2)
    ContactPreference.objects.create(customer_id=wishing, at_most=2, per="week", since=world.now)
    sends = [world.plan(world.dispatch(step_no=number), people) for number in range(1, 5)]
    service = world.plan(world.dispatch(step_no=9, purpose="service"), people)
    world.send()
    mine = [one for ids in sends for one in ids[:1]]
    assert sorted(states(mine)) == [State.SENT, State.SENT, State.SKIPPED, State.SKIPPED]
    assert sorted(reasons(mine)) == ["-", "-", "frequency_cap", "frequency_cap"]
    assert states([ids[1] for ids in sends]) == [State.SENT] * 4
    assert states(service) == [State.SENT, State.SENT]
    skipped = next(one for one, state_ in zip(mine, states(mine), strict=True) if state_ == State.SKIPPED)
    gate, code, said = verdicts(skipped)[-1]
    assert (gate, code, said["at_most"], said["per"], said["sent"]) == ("frequency_cap", "frequency_cap", 2, "week", 2)
    # The window rolls: seven days and a bit later there is room again.
    later = world.now + timedelta(days=7, minutes=1)
    (again,) = world.plan(world.dispatch(step_no=10), [wishing])
    world.send(now=later)
    assert states([again]) == [State.SENT]
    assert violations() == {}


@pytest.mark.parametrize(
    ("on", "group", "withdrawn", "expected"),
    [(False, "coffee", False, "no_consent"), (True, "coffee", False, "-"), (True, "tea", False, "no_consent"),
     (True, None, False, "no_consent"), (True, "coffee", True, "no_consent")],
)  # fmt: skip
def test_existing_customers(
    world: World, settings: Any, on: bool, group: str | None, withdrawn: bool, expected: str
) -> None:
    settings.EXISTING_CUSTOMER_ADS = on
    people = world.customers(1, consent=None)
    existing.record_bases([existing.Basis(people[0], "coffee", world.now, "You may object", "shop")], now=world.now)
    if withdrawn:
        world.consent(people, status="withdrawn")
    dispatch = world.dispatch()
    Dispatch.objects.filter(pk=dispatch.pk).update(product_group=group)
    dispatch.refresh_from_db()
    ids = world.plan(dispatch, people)
    assert reasons(ids) == [expected]
    world.send()
    assert reasons(ids) == [expected]


def test_a_template_says_its_topic_and_its_basis(world: World, topics: None) -> None:
    from campaigns.content import documents, queries

    document = {
        "kind": "template", "key": "beans", "channel": "email", "topic": "coffee", "basis": "existing_customer",
        "product_group": "coffee",
        "locales": {"en": {"subject": "s", "body": '<p><a href="{{ unsubscribe_url }}">Unsubscribe</a></p>'}},
    }  # fmt: skip
    kind = documents.TemplateKind()
    kind.apply(document, now=world.now, declared={})
    assert [one for one in kind.export() if one["key"] == "beans"][0].items() >= document.items()
    assert kind.apply(document, now=world.now, declared={}).verdict == "unchanged"
    found = queries.current("beans")
    assert found is not None
    dispatch = world.dispatch(template_version_id=found[1].pk, step_no=7)
    assert (dispatch.topic, dispatch.product_group) == ("coffee", "coffee")
    for wrong in ({"topic": "unknown"}, {"basis": "consent"}, {"purpose": "service"}):
        with pytest.raises(Problems):
            kind.apply(document | wrong, now=world.now, declared={})


def test_the_judgment_asks_nothing_about_topics_where_there_is_none(world: World) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        world.plan(world.dispatch(), world.customers(1))
    assert "topic_choice" not in "".join(query["sql"] for query in queries)
    assert fetch("SELECT count(*) FROM message") == [(1,)]
