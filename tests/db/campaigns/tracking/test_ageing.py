"""Silent consents: warned of after 24 months, blocked after 36 until the person consents anew."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.tracking import ageing
from loyalty.consent.entries import ConsentEntry
from loyalty.consent.models import AgeingPass, ConsentAge
from loyalty.consent.operations import record
from loyalty.events import partitions
from loyalty.kit.sql import execute, sql
from tests.db.campaigns.delivery.world import World, fact_names, reasons, verdicts

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def world() -> World:
    made = World(now=NOW).prepare()
    partitions.ensure(NOW - timedelta(days=1500), NOW + timedelta(days=500))
    return made


def silent(world: World, months: int) -> int:
    """A person whose consent is so old."""
    (person,) = world.customers(1, consent=None)
    world.consent([person], at=world.now - timedelta(days=30.5 * months))
    return person


def aged() -> dict[int, bool]:
    return {row.customer_id: row.blocked_at is not None for row in ConsentAge.objects.all()}


def test_who_is_silent_is_told_of_and_later_blocked(world: World) -> None:
    young, old, ancient = silent(world, 10), silent(world, 25), silent(world, 40)
    assert ageing.look(now=NOW) == 2
    assert (ageing.look(now=NOW), aged()) == (0, {old: False, ancient: False})
    assert [fact_names(person) for person in (young, old, ancient)] == [[], ["consent.ageing"], ["consent.ageing"]]
    # Nobody is blocked who was not on the list for a month.
    ageing.look(now=NOW + timedelta(days=29))
    assert aged() == {old: False, ancient: False}
    ageing.look(now=NOW + timedelta(days=31))
    assert aged() == {old: False, ancient: True}
    assert fact_names(ancient) == ["consent.ageing", "consent.expired"]
    passes = list(AgeingPass.objects.order_by("day").values_list("warned", "blocked"))
    assert passes == [(2, 0), (0, 0), (0, 1)]
    ageing.look(now=NOW + timedelta(days=340))
    assert aged() == {old: True, ancient: True}


def test_a_blocked_person_gets_no_advertising_until_a_new_consent(world: World) -> None:
    person = silent(world, 40)
    ageing.look(now=NOW)
    ageing.look(now=NOW + timedelta(days=31))
    world.now = NOW + timedelta(days=32)
    (blocked,) = world.plan(world.dispatch(), [person])
    (service,) = world.plan(world.dispatch(step_no=2, purpose="service"), [person])
    assert reasons([blocked, service]) == ["no_consent", "-"]
    gate, code, said = verdicts(blocked)[0]
    assert (gate, code, said["status"], said["aged"]) == ("consent", "no_consent", "granted", True)
    # A purchase does not end a block, a new declaration does, at once.
    world.event(person, "purchase", world.now)
    ageing.look(now=world.now + timedelta(days=1))
    assert aged() == {person: True}
    record([ConsentEntry(person, "email", "marketing", "granted", "form", world.now)], now=world.now)
    (free,) = world.plan(world.dispatch(step_no=3), [person])
    assert reasons([free]) == ["-"]
    ageing.look(now=world.now + timedelta(days=2))
    assert aged() == {}


@pytest.mark.parametrize(
    ("name", "ref", "counts"),
    [
        ("purchase", None, True),
        ("message.clicked", 1, True),
        ("message.clicked", 2, False),
        ("message.opened", 1, False),
        ("page_viewed", None, False),
    ],
)
def test_what_is_a_sign_of_life(world: World, name: str, ref: int | None, counts: bool) -> None:
    from loyalty.events import facts

    person = silent(world, 30)
    facts.write(
        name,
        sql(
            "SELECT {id}::bigint, {at}::timestamptz, {ref}::bigint, NULL::jsonb",
            id=person,
            at=NOW - timedelta(days=100),
            ref=ref,
        ),
    )
    ageing.look(now=NOW)
    assert aged() == ({} if counts else {person: False})


def test_who_is_heard_of_again_is_off_the_list(world: World) -> None:
    person = silent(world, 30)
    ageing.look(now=NOW)
    assert aged() == {person: False}
    world.event(person, "purchase", NOW + timedelta(hours=1))
    ageing.look(now=NOW + timedelta(days=1))
    assert aged() == {}


def test_the_look_goes_on_where_it_stopped(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [silent(world, 30) for _ in range(5)]
    for channel in ("sms", "whatsapp"):
        execute(
            sql(
                "INSERT INTO consent_state SELECT customer_id, {channel}, purpose, status, since FROM consent_state"
                " WHERE channel = 'email'",
                channel=channel,
            )
        )
    monkeypatch.setattr(ageing, "SLICE", 4)
    looked = [ageing.look(now=NOW) for _ in range(4)]
    assert (sum(looked), looked[-1]) == (15, 0)
    assert ConsentAge.objects.count() == 15
    assert sorted(aged()) == people


def test_it_can_be_switched_off(world: World, settings: Any) -> None:
    silent(world, 60)
    settings.CONSENT_WARN_MONTHS = 0
    assert ageing.look(now=NOW) == 0
    assert aged() == {}
    settings.CONSENT_WARN_MONTHS, settings.CONSENT_BLOCK_MONTHS = 24, 0
    ageing.look(now=NOW)
    ageing.look(now=NOW + timedelta(days=60))
    assert list(aged().values()) == [False]
