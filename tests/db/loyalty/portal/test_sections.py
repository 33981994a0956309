"""Rewards, offers, vouchers and the card in the portal: shown where there are some; buttons do what they say."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from campaigns.channels.providers import email_recording
from loyalty.customers.models import Customer, CustomerIdentity
from loyalty.kit import clock
from loyalty.kit.applying import apply_documents
from loyalty.offers import issuing
from loyalty.portal import queries
from loyalty.program import movements, purchases
from loyalty.program import operations as program
from loyalty.program.models import Member
from loyalty.program.queries import balances
from loyalty.program.setup import Setup
from loyalty.rewards.models import Redemption, Wish
from tests.db.loyalty.portal.house import joined, opened

pytestmark = pytest.mark.django_db
SHOP = "/member/rewards/"
MUG = {
    "kind": "reward", "key": "mug", "type": "physical", "name": {"en": "Mug", "de": "Becher"},
    "text": {"en": "Holds coffee."}, "points": 300, "stock": 2, "categories": ["kitchen"],
}  # fmt: skip
DRINK = {"kind": "reward", "key": "drink", "type": "service", "name": {"en": "A coffee"}, "points": 100,
         "categories": ["bar"]}  # fmt: skip
OFFER = {"kind": "offer", "key": "double", "name": {"en": "Double beans"}, "activate": True,
         "benefit": {"type": "multiplier", "times": 2}}  # fmt: skip
POOL = {"kind": "voucher_pool", "key": "five", "name": {"en": "Five off"}, "benefit": {"type": "amount", "amount": 5}}
ADDRESS = {"name": "Anna Blum", "street": "Weg 1", "postcode": "50667", "city": "Köln", "country": "de"}


@pytest.fixture
def club() -> Any:
    cache.clear()
    yield opened()
    email_recording.forget()


@pytest.fixture
def anna(club: Setup, client: Client) -> Customer:
    """A member with 250 points who is signed in."""
    joined(client, first_name="Anna")
    row = {"id": "r1", "customer": {"email": "anna@example.com"}, "amount": 250}
    assert purchases.commit(rows=[row], setup=club, now=clock.now()).rejected == []
    return Customer.objects.get()


def text_of(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def points(club: Setup) -> int:
    return int(balances(Member.objects.get().pk, setup=club, now=clock.now())[0]["available"])


def test_what_is_not_there_is_not_named(client: Client, anna: Customer) -> None:
    home = text_of(client, "/member/")
    for key in ("rewards", "offers", "card"):
        assert f"/member/{key}/" not in home
        assert client.get(f"/member/{key}/").status_code == 404
    assert client.get("/member/nothing/").status_code == 404


def test_a_wish_stands_on_the_first_page(client: Client, anna: Customer) -> None:
    apply_documents([MUG, DRINK], now=clock.now())
    assert "1 reward is within your reach" in text_of(client, "/member/")
    assert "50 beans to go" in text_of(client, SHOP)
    client.post(SHOP, {"reward": "mug", "wish": "1"})
    assert "Mug: 50 beans to go" in text_of(client, "/member/")
    assert 'width="83"' in text_of(client, f"{SHOP}?reward=mug")
    client.post(SHOP, {"reward": "mug", "unwish": "1"})
    assert not Wish.objects.exists()


def test_a_reward_is_redeemed_once_and_cancelled(client: Client, club: Setup, anna: Customer) -> None:
    apply_documents([MUG, DRINK], now=clock.now())
    page = text_of(client, f"{SHOP}?reward=drink")
    assert "Redeem for 100 beans" in page
    order = {"reward": "drink", "token": "a" * 32}
    for _ in range(2):
        done = client.post(SHOP, order, follow=True).content.decode()
        assert "Ordered. You find it below" in done
    assert (Redemption.objects.count(), points(club)) == (1, 150)
    lines, _end = queries.movements(Member.objects.get().pk)
    assert (lines[0].points, lines[0].reward) == (-100, {"en": "A coffee"})
    assert "A coffee" in text_of(client, "/member/points")
    client.post(SHOP, {"cancel": str(Redemption.objects.get().pk)})
    assert points(club) == 250


def test_an_order_to_send_needs_an_address_and_points(client: Client, club: Setup, anna: Customer) -> None:
    apply_documents([MUG], now=clock.now())
    refused = client.post(SHOP, {"reward": "mug", **ADDRESS}, follow=True).content.decode()
    assert "You have too few points for this." in refused
    movements.grant(
        [movements.Grant(Member.objects.get().pk, 100)], setup=club, wallet=None, kind="occasion", reason="x",
        now=clock.now(),
    )  # fmt: skip
    refused = client.post(SHOP, {"reward": "mug"}, follow=True).content.decode()
    assert "Please give your whole address" in refused
    client.post(SHOP, {"reward": "mug", **ADDRESS})
    assert Redemption.objects.get().address == {**ADDRESS, "country": "DE"}
    assert points(club) == 50


def test_nobody_cancels_what_is_not_theirs(client: Client, anna: Customer) -> None:
    apply_documents([DRINK], now=clock.now())
    client.post(SHOP, {"reward": "drink", "token": "b"})
    Redemption.objects.update(customer_id=anna.pk + 1)
    done = client.post(SHOP, {"cancel": str(Redemption.objects.get().pk)}, follow=True).content.decode()
    assert "There is no such order." in done
    assert Redemption.objects.get().state == "ordered"


def test_who_has_left_may_still_use_points_but_no_offers(client: Client, club: Setup, anna: Customer) -> None:
    apply_documents([DRINK, OFFER], now=clock.now())
    program.leave(member_id=Member.objects.get().pk, setup=club, now=clock.now())
    done = client.post("/member/offers/", {"activate": "double"}, follow=True).content.decode()
    assert "Your membership rests" in done


def test_an_offer_is_activated_and_a_voucher_shown(client: Client, anna: Customer) -> None:
    apply_documents([OFFER, POOL], now=clock.now())
    assert "1 offer to activate" in text_of(client, "/member/")
    page = client.post("/member/offers/", {"activate": "double"}, follow=True).content.decode()
    assert "Double beans is active." in page
    assert "2 times the points" in page
    again = client.post("/member/offers/", {"activate": "none"}, follow=True).content.decode()
    assert "cannot be activated any more" in again
    issued = issuing.issue("five", [issuing.Wanted(anna.pk)], source="test", now=clock.now())[0]
    assert issued is not None
    page = text_of(client, "/member/offers/")
    assert "Five off" in page
    assert f'<p class="voucher">{issued.code}</p>' in page


def test_the_card_is_made_on_demand_and_drawn(client: Client, anna: Customer) -> None:
    apply_documents([{"kind": "card_series", "key": "digital", "prefix": "77"}], now=clock.now())
    assert "You have no card yet." in text_of(client, "/member/card/")
    page = client.post("/member/card/", follow=True).content.decode()
    number = CustomerIdentity.objects.get(kind="card").value
    assert number.startswith("77")
    assert f"{number[:4]} {number[4:8]}" in page
    assert "<svg" in page
    assert "style=" not in page.partition("member-card")[2]


GAME = {
    "kind": "game", "key": "summer", "type": "scratch_card", "name": {"en": "Summer"}, "age": 16,
    "free": {"max": 1, "per": "day"}, "organizer": {"name": "Shop", "address": "Weg 1", "contact": "g@shop.example"},
    "prizes": [{"key": "all", "name": "Fifty", "odds": 1, "prize": {"type": "points", "points": 50}}],
}  # fmt: skip
STAMPS = {"kind": "stamp_card", "key": "ten", "name": {"en": "Ten cups"}, "size": 10,
          "prizes": [{"type": "points", "points": 20}]}  # fmt: skip
CHALLENGE = {"kind": "challenge", "key": "tour", "name": {"en": "Tour"}, "event": "visit", "target": 3,
             "join": "explicit", "prizes": [{"type": "points", "points": 30}]}  # fmt: skip


def test_a_game_is_played_once_and_a_challenge_taken_up(client: Client, club: Setup, anna: Customer) -> None:
    today = clock.now().date().isoformat()
    apply_documents([{**GAME, "from": today, "to": today}, STAMPS, CHALLENGE], now=clock.now())
    assert "/member/play/" in text_of(client, "/member/")
    page = text_of(client, "/member/play/")
    assert "1 play left" in page
    assert "0 of 10 stamps" in page
    refused = client.post("/member/play/", {"game": "summer", "token": "t"}, follow=True).content.decode()
    assert "Please confirm that you are old enough." in refused
    for _ in range(2):
        won = client.post("/member/play/", {"game": "summer", "token": "t", "of_age": "1"}, follow=True)
        assert "You won: " in won.content.decode()
    over = client.post("/member/play/", {"game": "summer", "token": "u", "of_age": "1"}, follow=True).content.decode()
    assert "You have no play left." in over
    taken = client.post("/member/play/", {"join": "tour"}, follow=True).content.decode()
    assert "You are in." in taken
    assert "0 of 3" in taken


def test_the_first_page_asks_a_fixed_number_of_questions(
    client: Client, anna: Customer, django_assert_max_num_queries: Any
) -> None:
    many = [{**DRINK, "key": f"drink{n}", "name": {"en": f"Coffee {n}"}} for n in range(12)]
    apply_documents([MUG, *many, OFFER, POOL], now=clock.now())
    with django_assert_max_num_queries(60):
        client.get("/member/")
