"""Personal offers: targets from one's own purchases, sizes by expected margin, a holdout always, an honest result."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from loyalty.customers.erasing import erase_customers
from loyalty.customers.joining import merge_customers
from loyalty.kit.buckets import place
from loyalty.kit.problems import Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.offers import rates, redeeming, rounds, wallets
from loyalty.offers.definition import OfferDocument
from loyalty.offers.models import Offer, OfferRound, PersonalOffer
from loyalty.program.setup import Setup
from tests.db.loyalty.offers.shop import NOW, applied, items, offer, violations
from tests.db.loyalty.program import club
from tests.db.loyalty.program.test_races import at_once

pytestmark = pytest.mark.django_db
PERSONAL: dict[str, Any] = {"sizes": [3, 5, 8], "margin": 40, "basis": "interest", "explore": 0, "holdout": 30}
AMOUNT: dict[str, Any] = {"type": "amount", "amount": 3}
ENDS = datetime(2026, 4, 6, 22, tzinfo=UTC)


def shop(who: list[str], *amounts: float, personal: dict[str, Any] = PERSONAL, **rest: Any) -> Setup:
    """A club whose members bought for these amounts, and the personal offer `own`."""
    setup = club.applied(club.BASE)
    for one in who:
        club.customer(one)
        for place_, amount in enumerate(amounts):
            at = NOW - timedelta(days=10 + place_)
            club.buy(setup, f"{one}-{place_}", one, occurred_at=at.isoformat(), items=items(amount, category="tea"))
    applied(offer("own", AMOUNT, personal=personal, **rest))
    return setup


def held(who: str) -> bool:
    """Whether the person's place is in the holdout of 30 percent."""
    return place("offer:own", identity(who)) < 0.3


def identity(who: str) -> int:
    return int(fetch(sql("SELECT id FROM customer WHERE external_id = {e}", e=who))[0][0])


def mine(who: str) -> PersonalOffer:
    return PersonalOffer.objects.get(customer_id=identity(who))


def test_a_target_and_a_size_of_ones_own() -> None:
    people = [f"p{number}" for number in range(30)]
    shop(people, 30, 40, 90, activate=False)
    assert rounds.go_on(now=NOW) == 31
    assert rounds.go_on(now=NOW) == 0
    found = OfferRound.objects.get()
    assert (found.number, found.state, found.ends_at) == (1, "running", ENDS.replace(hour=22))
    out = [one for one in people if held(one)]
    assert 0 < len(out) < 30
    assert PersonalOffer.objects.filter(held_out=True, size=None).count() == len(out)
    inside = next(one for one in people if not held(one))
    row = mine(inside)
    # The median of 30, 40, 90 is 40; times 1.2 is 48, up to the next five 50.
    assert (row.usual, row.threshold, row.band, row.margin_share) == (40, 50, 1, Decimal("0.4"))
    # Reach 15, 20, 25 % against 10 % by themselves, margin 20: 0.15*3, 0.20*5, 0.25*8 less the cost.
    told = {step: round((0.1 + 0.05 * step - 0.1) * 20 - (0.1 + 0.05 * step) * size, 4)
            for step, size in enumerate((3, 5, 8), 1)}  # fmt: skip
    assert told == {1: 0.55, 2: 1.0, 3: 1.0}
    assert (row.step, row.size, row.expected) == (2, 5, Decimal("1.0000"))
    [shown] = wallets.wallet(identity(inside), now=NOW)
    assert shown.document.when.minimum == 50 and shown.document.benefit.amount == 5  # type: ignore[union-attr]
    assert shown.document.when.end == datetime(2026, 4, 6).date()
    assert shown.why == "You have this offer because your purchases are usually about 40 EUR."
    assert shown.document.description["de"]
    assert wallets.wallet(identity(out[0]), now=NOW) == []
    bought = redeeming.validate({"customer": inside, "items": items(50)}, now=NOW)
    assert bought["discount"] == "5.00"
    assert redeeming.validate({"customer": inside, "items": items(49)}, now=NOW)["discount"] == "0.00"
    assert redeeming.validate({"customer": out[0], "items": items(50)}, now=NOW)["discount"] == "0.00"
    with pytest.raises(Problems, match="for those it was given to"):
        wallets.activate(identity(out[0]), "own", now=NOW)
    with pytest.raises(Problems, match="to nobody by hand"):
        wallets.give("own", [identity(out[0])], now=NOW)
    assert violations() == {}


def test_once_a_round_and_activated_anew() -> None:
    people = [f"p{number}" for number in range(20)]
    shop(people, 40, 40, 40)
    rounds.go_on(now=NOW)
    name = next(one for one in people if not held(one))
    anna = identity(name)
    assert wallets.activate(anna, "own", now=NOW).state == "active"
    redeeming.redeem_now({"id": "t1", "customer": name, "items": items(60)}, now=NOW)
    assert [one.state for one in wallets.wallet(anna, now=NOW)] == ["used"]
    later = ENDS + timedelta(hours=1)
    assert wallets.wallet(anna, now=later) == []
    rounds.go_on(now=later)
    assert [one.state for one in wallets.wallet(anna, now=later)] == ["open"]
    assert OfferRound.objects.count() == 2


def test_what_came_of_it() -> None:
    people = [f"p{number}" for number in range(25)]
    setup = shop(people, 40, 40, 40, activate=False)
    rounds.go_on(now=NOW)
    inside = [one for one in people if not held(one)][:3]
    during = NOW + timedelta(days=3)
    for number, one in enumerate(inside):
        done = redeeming.redeem_now({"id": f"r{number}", "customer": one, "items": items(60)}, now=during)
        paid = 60 - float(done.answer["discount"])
        booking = club.buy(setup, f"b{number}", one, paid, now=during)
        execute(sql("UPDATE offer_reservation SET booking_id = {b} WHERE id = {i}", b=booking, i=done.id))
    told = items(60)
    told[0]["margin"] = 30
    club.buy(setup, "told", inside[0], items=told, now=during)
    club.give_back(setup, "back", "b2", now=during)
    assert rounds.go_on(now=ENDS + timedelta(hours=2)) == 26
    assert OfferRound.objects.get(number=1).outcome is None
    rounds.go_on(now=ENDS + timedelta(days=2))
    # 55 paid: 40 % of what the shelf price was (60) less the discount of 5 is 19; margin that is told counts as it is.
    row = mine_in(inside[1], 1)
    assert (row.reached, row.redeemed, row.revenue, row.margin, row.cost) == (True, 1, 55, 19, 5)
    assert (mine_in(inside[0], 1).revenue, mine_in(inside[0], 1).margin) == (115, 49)
    # What came back brought nothing and cost the discount.
    assert (mine_in(inside[2], 1).revenue, mine_in(inside[2], 1).margin) == (0, -3)
    first = OfferRound.objects.get(number=1)
    assert first.state == "measured" and first.outcome is not None
    assert sum(cell["people"] for cell in first.outcome) == 25
    assert sum(cell["reached"] for cell in first.outcome) == 3
    assert violations() == {}


def mine_in(who: str, number: int) -> PersonalOffer:
    found = OfferRound.objects.get(number=number)
    return PersonalOffer.objects.get(customer_id=identity(who), round_id=found.pk)


def test_who_is_left_out() -> None:
    shop(["anna", "ben", "cleo", "dora", "emil"], 40, 40, 40, personal={**PERSONAL, "basis": "consent"})
    club.customer("few")
    told = [("anna", "granted"), ("ben", "withdrawn"), ("dora", "granted"), ("emil", "granted")]
    for who, status in told:
        execute(
            sql(
                "INSERT INTO consent_state (customer_id, channel, purpose, status, since)"
                " VALUES ({c}, 'email', 'profiling', {s}, {now})",
                c=identity(who),
                s=status,
                now=NOW,
            )
        )
    execute(sql("UPDATE customer SET restricted_at = {now} WHERE external_id = 'dora'", now=NOW))
    rounds.go_on(now=NOW)
    assert set(PersonalOffer.objects.values_list("customer_id", flat=True)) == {identity("anna"), identity("emil")}


def test_the_category_that_is_second() -> None:
    setup = club.applied(club.BASE)
    club.customer("anna")
    for number, (tea, cake) in enumerate([(30, 10), (30, 12), (30, 14)]):
        lines = [*items(tea, category="tea"), *items(cake, category="cake")]
        lines[1]["margin"] = cake / 2
        at = (NOW - timedelta(days=5 + number)).isoformat()
        club.buy(setup, f"a{number}", "anna", occurred_at=at, items=lines)
    applied(
        offer("own", {"type": "percent", "percent": 5}, activate=False,
              personal={"target": "category", "sizes": [5, 10], "margin": 30, "basis": "interest", "explore": 100})
    )  # fmt: skip
    rounds.go_on(now=NOW)
    row = PersonalOffer.objects.get()
    assert (row.category, row.usual, row.threshold, row.margin_share) == ("cake", 12, None, Decimal("0.5"))
    assert row.held_out or row.explored
    document = Offer.objects.get().definition
    assert document["personal"]["target"] == "category"


def test_what_was_learned_decides() -> None:
    document = OfferDocument.model_validate(offer("own", AMOUNT, personal={"sizes": [3, 5], "margin": 40}))
    personal = document.personal
    assert personal is not None
    assert [(one.reach, one.base) for one in rates.learned(personal, []) if one.band == 0] == [(0.15, 0.1), (0.2, 0.1)]
    cell = {"band": 0, "held_out": False, "size": 5.0, "people": 80, "reached": 40, "redeemers": 20}
    out = {"band": 0, "held_out": True, "size": None, "people": 180, "reached": 8, "redeemers": 0}
    found = rates.learned(personal, [[cell, out]])
    assert (found[1].reach, found[1].redeem, found[1].base) == (0.44, 0.24, 0.05)
    assert round(rates.expected(found[1].plain(), margin=20, cost=5), 4) == 6.6


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        ({"holdout": 4}, "holdout"),
        ({"sizes": [5, 3]}, "smallest first"),
        ({"lasts": "500d"}, "1 to 366 days"),
        ({"rank": 2}, "rank belongs to"),
        ({"target": "category", "factor": 2}, "belong to the target spend"),
        ({"program": "clab"}, "did you mean 'club'"),
    ],
)
def test_bad_documents(rest: dict[str, Any], told: str) -> None:
    club.applied(club.BASE)
    with pytest.raises(Problems, match=told):
        applied(offer("own", AMOUNT, personal={**PERSONAL, **rest}))


def test_a_personal_offer_survives_being_stored() -> None:
    club.applied(club.BASE)
    document = offer("own", AMOUNT, personal={**PERSONAL, "bands": [], "prior": {"rate": 2.5}})
    applied(document)
    stored = Offer.objects.get().definition
    assert stored["personal"] == {
        "sizes": [3, 5, 8], "margin": 40, "basis": "interest", "explore": 0, "holdout": 30, "bands": [],
        "prior": {"rate": 2.5},
    }  # fmt: skip
    assert OfferDocument.model_validate(stored).plain() == {k: v for k, v in stored.items() if k != "kind"}


def test_forgotten_people_and_people_who_are_one() -> None:
    people = [f"p{number}" for number in range(4)]
    shop(people, 40, 40, 40)
    rounds.go_on(now=NOW)
    erase_customers(customer_ids=[identity("p0")])
    assert PersonalOffer.objects.count() == 3
    winner, loser = identity("p1"), identity("p2")
    before = PersonalOffer.objects.get(customer_id=winner)
    merge_customers({loser: winner}, reason="test", now=NOW)
    after = PersonalOffer.objects.get(customer_id=winner)
    assert (after.held_out, after.size) == (before.held_out, before.size)
    assert PersonalOffer.objects.count() == 2
    assert violations() == {}


@pytest.mark.django_db(transaction=True)
def test_two_at_once_give_everybody_one_part() -> None:
    people = [f"p{number}" for number in range(12)]
    shop(people, 40, 40, 40)
    at_once(lambda number: rounds.go_on(now=NOW, batch=5), 4)
    rounds.go_on(now=NOW)
    assert [(one.number, one.state) for one in OfferRound.objects.all()] == [(1, "running")]
    assert PersonalOffer.objects.count() == 12
    later = ENDS + timedelta(days=2)
    at_once(lambda number: rounds.go_on(now=later, batch=5), 4)
    rounds.go_on(now=later)
    first = OfferRound.objects.get(number=1)
    assert first.state == "measured" and sum(cell["people"] for cell in first.outcome or []) == 12
    assert PersonalOffer.objects.count() == 24
