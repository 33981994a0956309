"""Cards are issued, handed out, blocked, replaced and merged; what they opened before they open no more."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from loyalty.cards import operations, queries
from loyalty.customers.cards import is_valid
from loyalty.customers.erasing import erase_customers
from loyalty.customers.joining import join, undo_merge
from loyalty.customers.operations import ensure_customers
from loyalty.kit.applying import apply_documents
from loyalty.kit.checks import invariants, verdict
from loyalty.kit.documents import kinds
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from tests.db.loyalty.cards.wallet import SERIES, STAFF, holder, numbers, series
from tests.db.loyalty.program.club import NOW, customer, facts_of

pytestmark = pytest.mark.django_db


def issued(amount: int = 1, **given: Any) -> list[str]:
    return numbers(operations.issue(series=None, amount=amount, by="kim", now=NOW, **given).batch_id)


def refused(work: Any) -> list[tuple[str, str]]:
    with pytest.raises(Problems) as raised:
        work()
    return [(one.where, one.problem) for one in raised.value.problems]


def sound() -> bool:
    return all(verdict(one).holds for one in invariants() if one.key.startswith("cards."))


def test_a_batch_has_different_good_numbers_of_the_series() -> None:
    series()
    made = issued(500, note="autumn")
    assert len(set(made)) == 500
    assert {(len(one), one[:4], is_valid(one)) for one in made} == {(13, "2790", True)}
    assert made != sorted(made)
    assert fetch("SELECT amount, note, personal, created_by FROM card_batch") == [(500, "autumn", False, "kim")]
    assert queries.cards_of(1) == []


def test_a_running_series_goes_on_where_it_was() -> None:
    series({**SERIES, "order": "running", "start": 41})
    assert [one[4:12] for one in issued(2) + issued(1)] == ["00000041", "00000042", "00000043"]


def test_a_series_without_room_says_how_much_there_is() -> None:
    series({**SERIES, "digits": 8, "order": "running", "start": 990})
    assert refused(lambda: issued(20)) == [("amount", "the series plastic has no room for 20 more cards")]
    assert fetch("SELECT count(*) FROM card") == [(0,)]
    assert refused(lambda: operations.issue(series="gold", amount=1, by="kim", now=NOW)) == [
        ("series", "there is no card series 'gold'")
    ]


def test_personal_cards_are_their_customers_at_once() -> None:
    series()
    anna, ben = customer("anna"), customer("ben")
    made = issued(customer_ids=[ben, anna], amount=0)
    assert sorted(holder(one) or "" for one in made) == ["anna", "ben"]
    assert queries.card_of(anna) in made
    assert len(facts_of("anna", "card.assigned")) == 1
    assert refused(lambda: issued(customer_ids=[anna, 4_000_000], amount=0)) == [("customers", "1 of them are gone")]


def test_assigning_takes_along_what_was_collected_without_a_name() -> None:
    series()
    number = issued()[0]
    anna = customer("anna")
    nobody = ensure_customers([], [], now=NOW, identities=[("card", number)])["card", number]
    shown = operations.assign(number=f"{number[:4]} {number[4:]}", customer_id=anna, by="kim", now=NOW)
    assert (shown.customer_id, shown.usable, holder(number)) == (anna, True, "anna")
    assert fetch("SELECT loser_id, reason FROM customer_merge") == [(nobody, "claimed")]
    operations.assign(number=number, customer_id=anna, by="kim", now=NOW)
    assert [one["act"] for one in queries.changes_of(shown.id or 0)] == ["assigned"]
    ben = customer("ben")
    assert refused(lambda: operations.assign(number=number, customer_id=ben, by="kim", now=NOW)) == [
        ("card", "belongs to another customer")
    ]


def test_a_blocked_card_opens_nothing_until_it_is_unblocked() -> None:
    series()
    anna = customer("anna")
    number = operations.ensure_card(customer_id=anna, now=NOW)
    assert operations.ensure_card(customer_id=anna, now=NOW) == number
    blocked = operations.block(number=number, reason="lost", by="kim", now=NOW)
    assert (blocked.state, blocked.reason, blocked.usable, holder(number)) == ("blocked", "lost", False, None)
    assert operations.block(number=number, reason="stolen", by="kim", now=NOW).reason == "lost"
    assert queries.card_of(anna) is None
    assert [one.number for one in queries.cards_of(anna)] == [number]
    assert operations.refusal(blocked).problem == f"{number} is blocked (lost)"
    assert refused(lambda: operations.assign(number=number, customer_id=anna, by="kim", now=NOW)) == [
        ("card", f"{number} is blocked (lost)")
    ]
    again = operations.unblock(number=number, by="kim", now=NOW)
    assert (again.usable, holder(number), queries.card_of(anna)) == (True, "anna", number)
    assert facts_of("anna", "card.blocked") == [{"reason": "lost"}]
    assert [one["act"] for one in queries.changes_of(again.id or 0)] == ["unblocked", "blocked", "assigned"]
    assert sound()


def test_a_lost_card_is_replaced_and_refused_with_the_reason() -> None:
    series()
    anna = customer("anna")
    old = operations.ensure_card(customer_id=anna, now=NOW)
    spare = issued()[0]
    new = operations.replace(number=old, reason="lost", by="kim", now=NOW, new_number=spare)
    assert (new.number, holder(spare), holder(old)) == (spare, "anna", None)
    gone = queries.find(old)
    assert gone is not None
    assert (gone.state, gone.replaced_by, gone.customer_id) == ("ended", spare, anna)
    assert operations.refusal(gone).problem == f"{old} was replaced (lost)"
    assert refused(lambda: operations.replace(number=old, reason="lost", by="kim", now=NOW)) == [
        ("card", f"{old} was replaced (lost)")
    ]
    digital = operations.replace(number=spare, reason="damaged", by="kim", now=NOW)
    assert digital.number[:4] == "2790"
    assert [(one.number, one.usable) for one in queries.cards_of(anna)][0] == (digital.number, True)
    assert len(facts_of("anna", "card.replaced")) == 2
    assert refused(lambda: operations.replace(number=issued()[0], reason="lost", by="kim", now=NOW)) == [
        ("card", "is nobody's: there is nothing to replace")
    ]
    assert sound()


def test_two_cards_become_one() -> None:
    series()
    anna, ben = customer("anna"), customer("ben")
    mine, his = operations.ensure_card(customer_id=anna, now=NOW), operations.ensure_card(customer_id=ben, now=NOW)
    spare = issued()[0]
    ensure_customers([], [], now=NOW, identities=[("card", spare)])
    kept = operations.merge(keep=mine, gone=spare, by="kim", now=NOW)
    assert (kept.number, holder(spare)) == (mine, None)
    assert refused(lambda: operations.merge(keep=mine, gone=his, by="kim", now=NOW)) == [
        ("card", "belongs to another customer")
    ]
    operations.merge(keep=mine, gone=his, by="kim", now=NOW, join=True)
    assert fetch("SELECT external_id FROM customer ORDER BY 1") == [("anna",)]
    ended = queries.find(his)
    assert ended is not None and (ended.replaced_by, ended.reason) == (mine, "merged")
    assert refused(lambda: operations.merge(keep=mine, gone=mine, by="kim", now=NOW)) == [("gone", "is the same card")]
    assert sound()


def test_numbers_that_are_no_cards() -> None:
    series()
    assert refused(lambda: operations.block(number="123456", reason="lost", by="kim", now=NOW)) == [
        ("card", "'123456' has a wrong check digit")
    ]
    assert refused(lambda: operations.end(number="42-A", reason="lost", by="kim", now=NOW)) == [
        ("card", "there is no card '42-A'")
    ]
    ensure_customers([], [], now=NOW, identities=[("card", "42A")])
    assert refused(lambda: operations.block(number="42A", reason="lost", by="kim", now=NOW)) == [
        ("card", "42A is a card from elsewhere")
    ]
    number = issued()[0]
    assert refused(lambda: operations.block(number=number, reason="why", by="kim", now=NOW)) == [
        ("reason", "'why' is no reason")
    ]


def test_cards_of_staff_have_a_name_on_them() -> None:
    series(SERIES, STAFF)
    number = numbers(operations.issue(series="staff", amount=1, by="kim", now=NOW).batch_id)[0]
    operations.name_staff_card(number=number, label="Till 3, Robin")
    found = queries.find(number)
    assert found is not None and (found.holder, found.label) == ("staff", "Till 3, Robin")
    assert refused(lambda: operations.name_staff_card(number=issued()[0], label="x")) == [
        ("card", "is no card of staff")
    ]


def test_cards_follow_people_who_are_joined_and_are_forgotten_with_them() -> None:
    series()
    anna, ben = customer("anna"), customer("ben")
    lost = operations.ensure_card(customer_id=ben, now=NOW)
    operations.replace(number=lost, reason="lost", by="kim", now=NOW)
    his = queries.card_of(ben)
    merged = join(customer_id=anna, other_id=ben, now=NOW, actor="kim")
    assert [one.number for one in queries.cards_of(anna)] == [his, lost]
    undo_merge(merge_id=merged.merge_id or 0, now=NOW, actor="kim")
    assert [one.number for one in queries.cards_of(ben)] == [his, lost]
    assert queries.cards_of(anna) == []
    erase_customers(customer_ids=[ben])
    assert fetch("SELECT number = 'erased-' || id, state, customer_id FROM card") == [(True, "ended", None)] * 2
    assert fetch("SELECT count(*) FROM card_change WHERE customer_id = %(b)s", {"b": ben}) == [(0,)]
    assert sound()


def test_a_series_with_cards_keeps_its_shape() -> None:
    series()
    exported = list(kinds.get("card_series").export())
    assert exported == [SERIES]
    assert [change.verdict for change in apply_documents([SERIES], now=NOW)] == ["unchanged"]
    issued()
    assert refused(lambda: series({**SERIES, "digits": 16, "name": {"en": "Card"}})) == [
        ("digits", "cannot change: there are cards of this series")
    ]
    assert refused(lambda: series({**SERIES, "key": "other"})) == [
        ("prefix", "the series plastic has the same numbers")
    ]
    wrong = refused(lambda: series({**SERIES, "key": "b", "prefix": "27x", "digit": 5}))
    assert [where for where, _ in wrong] == ["prefix", "digit"]


@pytest.mark.django_db(transaction=True)
def test_one_card_assigned_by_twenty_at_once_is_one_persons() -> None:
    series()
    number = issued()[0]
    people = [customer(f"c{place}") for place in range(20)]

    def take(customer_id: int) -> bool:
        try:
            operations.assign(number=number, customer_id=customer_id, by="kim", now=NOW)
        except Problems:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(take, people)) == 1
    assert fetch("SELECT count(*) FROM customer_identity WHERE kind = 'card'") == [(1,)]


@pytest.mark.django_db(transaction=True)
def test_a_member_who_opens_the_card_twice_at_once_has_one() -> None:
    series()
    anna = customer("anna")

    def open_card(_: int) -> str:
        try:
            return operations.ensure_card(customer_id=anna, now=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(open_card, range(16)))) == 1
    assert fetch("SELECT count(*) FROM card") == [(1,)]
