"""Friends with codes, households with one purse, members whose bookings come too fast; and what is left of them."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty.customers.erasing import erase_customers
from loyalty.customers.joining import merge_customers
from loyalty.kit.problems import Problems
from loyalty.kit.sql import execute, fetch
from loyalty.program import caps, households, movements, referrals
from loyalty.program.companions import Referral, Review
from loyalty.program.personal_data import export
from loyalty.program.setup import Setup
from tests.db.loyalty.program.club import BASE, NOW, applied, balance, buy, customer, give_back, member_of, violations

pytestmark = pytest.mark.django_db
FRIENDS: dict[str, Any] = {
    "kind": "earning_rule",
    "key": "friends",
    "type": "referral",
    "points": 500,
    "friend_points": 200,
    "after": "14d",
    "minimum": 20,
    "most": 2,
    "link": "https://shop.example.com/?friend={code}",
}


def wrong(caught: Any) -> list[tuple[str, str]]:
    return [(one.where, one.problem) for one in caught.value.problems]


def referrer(setup: Setup, who: str = "anna", **columns: Any) -> str:
    """A member with a code."""
    customer(who)
    for column, value in columns.items():
        execute(f"UPDATE customer SET {column} = %(v)s WHERE external_id = %(w)s", {"v": value, "w": who})
    buy(setup, f"first-{who}", who, 1)
    return referrals.code_of(member_of(who), now=NOW)


def test_a_friend_is_rewarded_when_the_return_window_has_passed() -> None:
    setup = applied(BASE, FRIENDS)
    code = referrer(setup)
    assert len(code) == 8
    assert referrals.code_of(member_of("anna"), now=NOW) == code
    assert referrals.link_of(code, setup) == f"https://shop.example.com/?friend={code}"
    ben = customer("ben")
    came = referrals.refer(code=code.lower(), friend_customer_id=ben, setup=setup, now=NOW)
    assert (came.state, came.doubt) == ("waiting", None)
    buy(setup, "r1", "ben", 30, now=NOW + timedelta(days=1))
    assert referrals.qualify(setup, now=NOW + timedelta(days=14)) == 0
    assert referrals.qualify(setup, now=NOW + timedelta(days=16)) == 1
    assert referrals.qualify(setup, now=NOW + timedelta(days=16)) == 0
    assert (balance("anna")[1], balance("ben")[1]) == (501, 230)
    assert [row["state"] for row in referrals.of_member(member_of("anna"))] == ["rewarded"]
    assert violations() == {}


def test_a_purchase_that_went_back_rewards_nobody() -> None:
    setup = applied(BASE, FRIENDS)
    code = referrer(setup)
    referrals.refer(code=code, friend_customer_id=customer("ben"), setup=setup, now=NOW)
    buy(setup, "r1", "ben", now=NOW + timedelta(days=1), items=[{"sku": "a", "amount": 30}, {"sku": "b", "amount": 10}])
    give_back(setup, "x1", "r1", [{"line": 1}], now=NOW + timedelta(days=3))
    assert referrals.qualify(setup, now=NOW + timedelta(days=60)) == 0
    assert balance("anna")[1] == 1


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({"email": "anna.Muster@gmail.com"}, {"email": "annamuster+2@googlemail.com"}),
        ({"email": "anna@example.com"}, {"email": "Anna+shop@example.com"}),
        ({"phone": "+491701234567"}, {"phone": "+491701234567"}),
    ],
)
def test_nobody_refers_themselves(mine, theirs) -> None:
    setup = applied(BASE, FRIENDS)
    code = referrer(setup, **mine)
    ben = customer("ben")
    ((column, value),) = theirs.items()
    execute(f"UPDATE customer SET {column} = %(v)s WHERE id = %(id)s", {"v": value, "id": ben})
    with pytest.raises(Problems) as caught:
        referrals.refer(code=code, friend_customer_id=ben, setup=setup, now=NOW)
    assert wrong(caught) == [("customer", "has the address of the member who refers")]


def test_what_makes_no_referral() -> None:
    setup = applied(BASE, FRIENDS)
    code = referrer(setup)
    ben = customer("ben")
    with pytest.raises(Problems) as caught:
        referrals.refer(code="NOBODY", friend_customer_id=ben, setup=setup, now=NOW)
    assert wrong(caught) == [("code", "is nobody's code")]
    anna = fetch("SELECT id FROM customer WHERE external_id = 'anna'")[0][0]
    with pytest.raises(Problems) as caught:
        referrals.refer(code=code, friend_customer_id=anna, setup=setup, now=NOW)
    assert wrong(caught) == [("customer", "is the member who refers")]
    referrals.refer(code=code, friend_customer_id=ben, setup=setup, now=NOW)
    backwards = referrals.code_of(member_of("ben"), now=NOW)
    with pytest.raises(Problems) as caught:
        referrals.refer(code=backwards, friend_customer_id=anna, setup=setup, now=NOW)
    assert wrong(caught) == [("customer", "has bought before"), ("customer", "referred this very member")]
    with pytest.raises(Problems) as caught:
        referrals.refer(code=code, friend_customer_id=ben, setup=setup, now=NOW)
    assert wrong(caught) == [("customer", "came with a code already")]


def test_doubtful_friends_wait_for_somebody_to_look() -> None:
    setup = applied(BASE, FRIENDS)
    code = referrer(setup, last_name="Muster", postcode="50667")
    ben = customer("ben")
    execute("UPDATE customer SET last_name = 'muster', postcode = '50667' WHERE id = %(id)s", {"id": ben})
    came = referrals.refer(code=code, friend_customer_id=ben, setup=setup, now=NOW)
    assert (came.state, came.doubt) == ("doubtful", referrals.SAME_ADDRESS)
    referrals.refer(code=code, friend_customer_id=customer("cara"), setup=setup, now=NOW)
    third = referrals.refer(code=code, friend_customer_id=customer("dora"), setup=setup, now=NOW)
    assert third.doubt == referrals.MANY
    buy(setup, "r1", "ben", 30, now=NOW + timedelta(days=1))
    later = NOW + timedelta(days=30)
    assert referrals.qualify(setup, now=later) == 0
    referrals.decide(referral_id=came.id, accept=True, by="otto", now=later)
    with pytest.raises(Problems):
        referrals.decide(referral_id=came.id, accept=False, by="otto", now=later)
    assert referrals.qualify(setup, now=later) == 1
    referrals.decide(referral_id=third.id, accept=False, by="otto", now=later)
    assert sorted(Referral.objects.values_list("state", flat=True)) == ["refused", "rewarded", "waiting"]


def home(setup: Setup, **amounts: int) -> int:
    """A household: the first is its owner, the last a child."""
    for who, amount in amounts.items():
        customer(who)
        buy(setup, f"h-{who}", who, amount)
    first, *rest = amounts
    number = households.found(owner_id=member_of(first), name="Muster", setup=setup, now=NOW)
    for place, who in enumerate(rest, 1):
        role = "child" if who == "cara" else "adult"
        at = NOW + timedelta(minutes=place)
        households.add(household_id=number, member_id=member_of(who), role=role, setup=setup, now=at)
    return number


def test_a_household_spends_from_one_purse() -> None:
    setup = applied(BASE, households={"size": 3, "monthly_limit": 50})
    number = home(setup, anna=100, ben=30, cara=70)
    found = households.of_member(member_of("ben"), setup.wallet_ids["points"])
    assert found is not None
    assert (found["household"], found["available"], len(found["members"])) == (number, 200, 3)
    households.spend(member_id=member_of("ben"), wallet=None, points=60, setup=setup, now=NOW)
    assert [balance(who)[1] for who in ("anna", "ben", "cara")] == [70, 0, 70]
    with pytest.raises(Problems) as caught:
        households.spend(member_id=member_of("ben"), wallet=None, points=21, setup=setup, now=NOW)
    assert wrong(caught) == [("points", "are more of the others' than allowed in a month")]
    with pytest.raises(Problems) as caught:
        households.spend(member_id=member_of("cara"), wallet=None, points=1, setup=setup, now=NOW)
    assert wrong(caught) == [("customer", "is a child of the household")]
    with pytest.raises(Problems) as caught:
        households.spend(member_id=member_of("anna"), wallet=None, points=141, setup=setup, now=NOW)
    assert wrong(caught) == [("points", "141 points are wanted, the household has 140")]
    households.spend(member_id=member_of("anna"), wallet=None, points=140, setup=setup, now=NOW)
    assert [balance(who)[1] for who in ("anna", "ben", "cara")] == [0, 0, 0]
    customer("dora")
    buy(setup, "h-dora", "dora", 5)
    with pytest.raises(Problems) as caught:
        households.add(household_id=number, member_id=member_of("dora"), role="guest", setup=setup, now=NOW)
    assert wrong(caught) == [("role", "'guest' is none"), ("household", "has 3 members already")]
    households.leave(member_id=member_of("ben"))
    assert households.of_member(member_of("ben"), setup.wallet_ids["points"]) is None
    assert violations() == {}


def test_bookings_that_come_too_fast_are_looked_into() -> None:
    velocity = [{"of": "purchase", "max": 2, "per": "1h"}, {"of": "spend", "max": 1, "per": "1d", "then": "freeze"}]
    setup = applied(BASE, velocity=velocity)
    for who in ("anna", "ben"):
        customer(who)
    for place in range(3):
        buy(setup, f"a{place}", "anna", 10, now=NOW + timedelta(minutes=place))
        buy(setup, f"b{place}", "ben", 10, now=NOW + timedelta(hours=place))
    at = NOW + timedelta(hours=2, minutes=1)
    assert caps.look(setup, now=NOW + timedelta(minutes=5)) == 6
    assert caps.look(setup, now=at) == 0
    review = Review.objects.get()
    assert (review.member_id, review.cap, review.counted) == (member_of("anna"), "purchase: 2 in 1h", 3)
    caps.decide(review_id=review.pk, freeze=False, by="otto", now=at)
    with pytest.raises(Problems):
        caps.decide(review_id=review.pk, freeze=True, by="otto", now=at)
    for _ in range(2):
        movements.spend(setup=setup, member_id=member_of("ben"), wallet=None, points=1, now=at)
    assert caps.look(setup, now=at) == 2
    assert fetch("SELECT state FROM member ORDER BY id") == [("active",), ("frozen",)]
    with pytest.raises(Problems) as caught:
        movements.spend(setup=setup, member_id=member_of("ben"), wallet=None, points=1, now=at)
    assert wrong(caught) == [("customer", "is frozen")]


def test_forgetting_and_joining_people_leave_nothing_behind() -> None:
    setup = applied(BASE, FRIENDS, households={})
    home(setup, anna=100, ben=30)
    code = referrals.code_of(member_of("anna"), now=NOW)
    referrals.refer(code=code, friend_customer_id=customer("dora"), setup=setup, now=NOW)
    anna, ben, dora = (fetch("SELECT id FROM customer WHERE external_id = %(w)s", {"w": w})[0][0] for w in
                       ("anna", "ben", "dora"))  # fmt: skip
    assert {table: len(rows) for table, rows in export(anna).items() if table.startswith(("ref", "house"))} == {
        "household_member": 1,
        "referral_code": 1,
        "referral": 1,
    }
    # Ben becomes Anna: her place in the household and her code stay.
    merge_customers({ben: anna}, reason="test", now=NOW)
    assert fetch("SELECT member_id, role FROM household_member") == [(member_of("anna"), "owner")]
    # Dora becomes Anna, who would have referred herself.
    merge_customers({dora: anna}, reason="test", now=NOW)
    assert fetch("SELECT count(*) FROM referral") == [(0,)]
    erase_customers(customer_ids=[anna])
    for table in ("household_member", "referral_code", "referral", "points_order"):
        assert fetch(f"SELECT count(*) FROM {table}") == [(0,)]
    assert violations() == {}


def test_a_household_whose_owner_is_forgotten_goes_to_the_next_adult_or_ends() -> None:
    setup = applied(BASE, households={})
    home(setup, anna=10, cara=10, ben=10, carl=10)
    ids = {who: fetch("SELECT id FROM customer WHERE external_id = %(w)s", {"w": who})[0][0] for who in
           ("anna", "ben", "carl")}  # fmt: skip
    ben, carl, cara = member_of("ben"), member_of("carl"), member_of("cara")
    erase_customers(customer_ids=[ids["anna"]])
    roles = "SELECT member_id, role FROM household_member ORDER BY joined_at"
    assert fetch(roles) == [(cara, "child"), (ben, "owner"), (carl, "adult")]
    erase_customers(customer_ids=[ids["ben"], ids["carl"]])
    assert fetch(roles) == []
    assert fetch("SELECT count(*) FROM household") == [(0,)]
    assert violations() == {}
