"""The member's PIN: who needs it, what is refused, and that guessing ends."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from loyalty.access.operations import create_api_key
from loyalty.customers.joining import merge_customers
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.program import holds, movements, purchases, step_up
from loyalty.program.personal_data import export
from loyalty.program.setup import Setup
from tests.db.loyalty.program.club import BASE, NOW, applied, balance, buy, customer, member_of, violations

PIN = {"spend_above": 50, "transfer": True, "attempts": 3, "lockout": "10m"}


def rich(**pin: Any) -> Setup:
    setup = applied(BASE, pin={**PIN, **pin})
    for who in ("anna", "ben"):
        customer(who)
        buy(setup, f"first-{who}", who, 500)
    return setup


def spend(setup: Setup, points: int, pin: str | None = None) -> Any:
    return movements.spend(setup=setup, member_id=member_of("anna"), wallet=None, points=points, now=NOW, pin=pin)


def refusal(act: Any) -> step_up.PinRefused:
    with pytest.raises(step_up.PinRefused) as caught:
        act()
    return caught.value


@pytest.mark.django_db
def test_many_points_need_the_pin_and_few_do_not() -> None:
    setup = rich()
    spend(setup, 50)
    assert refusal(lambda: spend(setup, 51)).reason == step_up.UNSET
    step_up.set_pin(member_id=member_of("anna"), pin="4713", current=None, setup=setup, now=NOW)
    assert refusal(lambda: spend(setup, 51)).reason == step_up.MISSING
    wrong = refusal(lambda: spend(setup, 51, "4711"))
    assert (wrong.reason, wrong.left) == (step_up.WRONG, 2)
    assert step_up.sentence(wrong) == "That PIN is wrong. You have 2 more tries."
    spend(setup, 51, "4713")
    ways = [
        lambda: movements.transfer(setup=setup, giver_id=member_of("anna"), taker_id=member_of("ben"), wallet=None,
                                   points=1, now=NOW),
        lambda: holds.hold(setup=setup, member_id=member_of("anna"), wallet=None, points=60,
                           lasts=timedelta(hours=1), now=NOW),
    ]  # fmt: skip
    assert [refusal(way).reason for way in ways] == [step_up.MISSING] * 2
    assert balance("anna") == (0, 399, 0, 0)
    assert violations() == {}


@pytest.mark.django_db
def test_guessing_ends_and_a_reset_begins_anew() -> None:
    setup = rich()
    member_id = member_of("anna")
    step_up.set_pin(member_id=member_id, pin="4713", current=None, setup=setup, now=NOW)
    reasons = [refusal(lambda: spend(setup, 60, "0815")).reason for _ in range(4)]
    assert reasons == [step_up.WRONG, step_up.WRONG, step_up.LOCKED, step_up.LOCKED]
    assert refusal(lambda: spend(setup, 60, "4713")).reason == step_up.LOCKED
    assert step_up.state(member_id, setup=setup)["locked"]
    change = {"member_id": member_id, "pin": "9163", "setup": setup, "now": NOW}
    assert refusal(lambda: step_up.set_pin(current="4713", **change)).reason == step_up.LOCKED
    assert step_up.clear_pin(member_id=member_id)
    step_up.set_pin(current=None, **change)
    spend(setup, 60, "9163")


@pytest.mark.django_db
@pytest.mark.parametrize("pin", ["1234", "0000", "98765", "123", "123456789", "12a4", "٤٧١٣"])
def test_easy_and_odd_pins_are_refused(pin: str) -> None:
    setup = rich()
    with pytest.raises(Problems):
        step_up.set_pin(member_id=member_of("anna"), pin=pin, current=None, setup=setup, now=NOW)
    assert fetch("SELECT count(*) FROM member_pin") == [(0,)]


@pytest.mark.django_db
def test_a_till_that_takes_many_points_asks_for_it_and_nothing_keeps_it() -> None:
    setup = rich()
    step_up.set_pin(member_id=member_of("anna"), pin="4713", current=None, setup=setup, now=NOW)
    rows = [
        {"id": "p1", "customer": "anna", "amount": 10, "spend": 60},
        {"id": "p2", "customer": "anna", "amount": 10, "spend": 60, "pin": "4713"},
        {"id": "p3", "customer": "anna", "amount": 10, "spend": 20},
        {"id": "p4", "customer": "ben", "amount": 10, "spend": 60, "pin": "4713"},
    ]
    done = purchases.commit(rows=rows, setup=setup, now=NOW)
    assert [(place, wrong[0].where, wrong[0].problem) for place, wrong in done.rejected] == [
        (0, "pin", "is needed"),
        (3, "pin", "is needed and not set"),
    ]
    again = purchases.commit(rows=[{**rows[1], "pin": "0000"}], setup=setup, now=NOW)
    assert again.repeated == {0}
    assert balance("anna") == (0, 440, 0, 0)
    kept = json.dumps(fetch("SELECT to_jsonb(b)::text FROM booking b"))
    assert "4713" not in kept.replace(str(member_of("anna")), "")
    assert b"4713" not in bytes(fetch("SELECT hash FROM member_pin")[0][0])


@pytest.mark.django_db
def test_people_who_are_joined_keep_the_pin_of_the_one_that_stays() -> None:
    setup = rich()
    for who, pin in (("anna", "4713"), ("ben", "9163")):
        step_up.set_pin(member_id=member_of(who), pin=pin, current=None, setup=setup, now=NOW)
    ids = dict(fetch("SELECT external_id, id FROM customer"))
    assert [row.keys() for row in export(ids["anna"])["member_pin"]] == [{"set_at"}]
    merge_customers({ids["ben"]: ids["anna"]}, reason="test", now=NOW)
    spend(setup, 100, "4713")
    assert fetch("SELECT count(*) FROM member_pin") == [(1,)]


@pytest.mark.django_db(transaction=True)
def test_a_hundred_guesses_at_once_are_no_more_than_three() -> None:
    setup = rich()
    member_id = member_of("anna")
    step_up.set_pin(member_id=member_id, pin="4713", current=None, setup=setup, now=NOW)

    def guess(number: int) -> str:
        try:
            step_up.check(member_id, f"{5000 + number}", setup=setup, points=100)
        except step_up.PinRefused as refused:
            return refused.reason
        finally:
            connection.close()
        return "right"

    with ThreadPoolExecutor(20) as pool:
        told = list(pool.map(guess, range(100)))
    assert (told.count(step_up.WRONG), told.count(step_up.LOCKED)) == (2, 98)
    assert refusal(lambda: spend(setup, 60, "4713")).reason == step_up.LOCKED


@pytest.mark.django_db
def test_over_http(client: Any) -> None:
    rich()
    key = create_api_key(name="till", scopes=["loyalty:read", "loyalty:write"], now=NOW).secret
    head = {"headers": {"Authorization": f"Bearer {key}"}, "content_type": "application/json"}
    base = "/api/v1/loyalty/members/anna"
    assert client.get(f"{base}/pin", **head).json() == {
        "set": False, "since": None, "locked": False, "spend_above": 50, "transfer": True,
    }  # fmt: skip
    assert client.put(f"{base}/pin", {"pin": "4713"}, **head).json()["set"] is True
    assert client.put(f"{base}/pin", {"pin": "9163"}, **head).status_code == 422
    refused = client.post(f"{base}/spend", {"points": 60}, **head)
    assert (refused.status_code, "pin" in refused.text) == (422, True)
    assert client.post(f"{base}/spend", {"points": 60, "pin": "4713"}, **head).status_code == 200
    assert client.delete(f"{base}/pin", **head).json()["set"] is False
