"""The counter: what the staff see and do for the customer before them, and what money is due."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from loyalty.cards import operations as cards
from loyalty.checkout import counter, dues, stores
from loyalty.checkout.models import RewardDue, Store
from loyalty.kit.applying import apply_documents
from loyalty.kit.checks import invariants, verdict
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.program import names
from loyalty.program.movements import Grant, grant
from loyalty.program.setup import load
from loyalty.rewards import fulfillment
from loyalty.rewards.models import Redemption
from loyalty.rewards.shapes import Order
from tests.db.loyalty.cards.wallet import SERIES, STAFF, series
from tests.db.loyalty.checkout.test_till import Till
from tests.db.loyalty.program.club import BASE, applied, balance, customer, member_of

pytestmark = pytest.mark.django_db
ADDRESS = {"name": "Anna", "street": "Am Wehr 1", "postcode": "50667", "city": "Köln", "country": "DE"}
MUG = {
    "kind": "reward",
    "key": "mug",
    "type": "physical",
    "name": {"en": "Mug", "de": "Becher"},
    "points": 100,
    "stock": 10,
}
BAG = {
    "kind": "reward", "key": "bag", "type": "physical", "name": {"en": "Bag", "de": "Tasche"},
    "prices": [{"points": 200}, {"points": 50, "money": 4.90}], "stock": 5,
}  # fmt: skip
STORE = {
    "kind": "store", "key": "cologne", "name": {"en": "Cologne"}, "street": "Domplatz 1", "postcode": "50667",
    "city": "Köln", "country": "DE",
}  # fmt: skip


def sound() -> bool:
    return [one.key for one in invariants() if one.key.startswith("checkout.") and not verdict(one).holds] == []


@pytest.fixture
def anna() -> int:
    applied(BASE, STORE, MUG, BAG)
    series(SERIES, STAFF)
    found = customer("anna")
    from loyalty.program import operations

    setup = load("club")
    operations.join(customer_ids=[found], setup=setup, now=now())
    grant([Grant(member_of("anna"), 300)], setup=setup, wallet=None, kind=names.IMPORT, reason=None, now=now())
    return found


@pytest.fixture
def till(client: Client) -> Client:
    """Somebody who may use the counter and nothing else, at the store in Cologne."""
    user = User.objects.create_user("berta", password="x", is_staff=True)
    wanted = Permission.objects.filter(codename__in=["use_counter", "redeem_counter"])
    user.user_permissions.set(wanted)
    client.force_login(user)
    return client


def scanned(client: Client, text: str) -> str:
    response = client.post(reverse("admin:checkout_counter"), {"who": text}, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def page_of(client: Client, number: int) -> str:
    return client.get(reverse("admin:checkout_counter_customer", args=[number])).content.decode()


def test_the_card_is_scanned_and_the_customer_shown(anna: int, till: Client) -> None:
    stores.add_staff(store_id=Store.objects.get().pk, username="berta", now=now())
    number = cards.ensure_card(customer_id=anna, now=now())
    assert "You serve at Cologne" in till.get(reverse("admin:checkout_counter")).content.decode()
    shown = scanned(till, number)
    assert ">300</b>" in shown and "Mug" in shown and "100 points" in shown
    # No right to the profile: no way to it.
    assert "customers/customer" not in shown
    assert "Nobody was found" in scanned(till, "nobody@example.com")
    cards.block(number=number, reason="lost", by="ada", now=now())
    assert "may have found it" in scanned(till, number)


def test_nobody_is_leafed_through(anna: int, till: Client) -> None:
    response = till.get(reverse("admin:checkout_counter_customer", args=[anna]))
    assert response.status_code == 302 and response.url == reverse("admin:checkout_counter")
    till.post(reverse("admin:checkout_counter_note", args=[anna]), {"note": "x"})
    assert fetch("SELECT count(*) FROM event e JOIN event_type t ON t.id = e.type_id WHERE name = 'staff.noted'") == [
        (0,)
    ]


def test_the_counter_needs_its_permission(anna: int, client: Client) -> None:
    client.force_login(User.objects.create_user("carl", password="x", is_staff=True))
    assert client.get(reverse("admin:checkout_counter")).status_code == 403
    with pytest.raises(Problems, match="may not use the counter"):
        stores.add_staff(store_id=Store.objects.get().pk, username="carl", now=now())


def test_a_basket_is_reckoned_and_nothing_booked(anna: int, till: Client) -> None:
    scanned(till, "anna")
    before = fetch("SELECT count(*) FROM booking")
    url = reverse("admin:checkout_counter_customer", args=[anna])
    shown = till.post(
        url, {"sku": ["a", "b", ""], "quantity": ["1", "2", "1"], "price": ["10,50", "4.00", ""]}
    ).content.decode()
    assert "18.50 EUR" in shown and "+18" in shown and "Nothing was booked" in shown
    assert fetch("SELECT count(*) FROM booking") == before
    wrong = till.post(url, {"sku": ["a"], "quantity": ["1"], "price": ["ten"]}).content.decode()
    assert "A line cannot be read" in wrong


def test_notes_stand_on_the_timeline(anna: int, till: Client) -> None:
    scanned(till, "anna")
    till.post(reverse("admin:checkout_counter_note", args=[anna]), {"note": "Likes <b>dark</b> roast"})
    shown = page_of(till, anna)
    assert "Likes &lt;b&gt;dark&lt;/b&gt; roast" in shown and "berta" in shown
    till.post(reverse("admin:checkout_counter_note", args=[anna]), {"note": "x" * 1001})
    assert len(counter.customer(anna, setup=load("club"), now=now()).notes) == 1  # type: ignore[union-attr]


def test_a_reward_is_handed_over(anna: int, till: Client) -> None:
    scanned(till, "anna")
    url = reverse("admin:checkout_counter_redeem", args=[anna, "mug"])
    assert "only be sent" in till.get(url).content.decode()
    assert "has no address" in till.post(url, {"token": "t1"}, follow=True).content.decode()
    stores.add_staff(store_id=Store.objects.get().pk, username="berta", now=now())
    assert "only be sent" not in till.get(url).content.decode()
    assert "hand it over" in till.post(url, {"token": "t1"}, follow=True).content.decode()
    done = Redemption.objects.get()
    assert (done.state, done.points, done.address["company"]) == ("delivered", 100, "Cologne")
    # The button pressed twice is one order.
    till.post(url, {"token": "t1"})
    assert Redemption.objects.count() == 1 and balance("anna")[1] == 200
    told = "SELECT t.name FROM event e JOIN event_type t ON t.id = e.type_id WHERE t.name LIKE 'reward.%%' ORDER BY 1"
    assert [row[0] for row in fetch(told)] == ["reward.delivered", "reward.redeemed"]


def test_money_is_due_until_it_is_paid(anna: int, till: Client) -> None:
    setup = load("club")
    order = Order("bag", price=1, address=ADDRESS, identifier="one")
    done = dues.redeem(order, customer_id=anna, setup=setup, now=now(), way="counter")
    again = dues.redeem(order, customer_id=anna, setup=setup, now=now(), way="counter")
    assert (again.redemption_id, again.repeated, RewardDue.objects.count()) == (done.redemption_id, True, 1)
    assert fulfillment.advance([done.redemption_id], state="approved", now=now()) == 1
    assert fulfillment.advance([done.redemption_id], state="packed", now=now()) == 0
    scanned(till, "anna")
    assert "4.90 EUR" in page_of(till, anna)
    url = reverse("admin:checkout_counter_paid", args=[anna, done.redemption_id])
    assert "Paid. Thank you." in till.post(url, follow=True).content.decode()
    assert "Nothing is due" in till.post(url, follow=True).content.decode()
    assert fulfillment.advance([done.redemption_id], state="packed", now=now()) == 1
    assert sound()
    with pytest.raises(Problems, match="paid already"):
        dues.pay(done.redemption_id, reference="other", by="ada", now=now())
    with pytest.raises(Problems, match="nothing to refund"):
        dues.refund(done.redemption_id, reference="r", by="ada", now=now())
    fulfillment.cancel(done.redemption_id, now=now())
    assert dues.dues()[0][0]["state"] == "refund"
    assert dues.refund(done.redemption_id, reference="r", by="ada", now=now()) is True
    assert dues.refund(done.redemption_id, reference="r", by="ada", now=now()) is False
    with pytest.raises(Problems, match="refunded already"):
        dues.refund(done.redemption_id, reference="another", by="ada", now=now())
    assert (dues.dues()[0][0]["state"], balance("anna")[1], sound()) == ("refunded", 300, True)


ODD = ["", "\0", "a\0b", "NaN", "-Infinity", "1e999999", "-1", "9" * 40, "1,2,3", "x" * 600, "٣", "%s{0}'\"<b>"]


@pytest.mark.parametrize("odd", ODD)
def test_odd_input_at_the_counter_changes_nothing(anna: int, till: Client, odd: str) -> None:
    def url(name: str, *args: Any) -> str:
        return reverse(f"admin:checkout_counter{name}", args=args)

    scanned(till, "anna")
    form = {"token": odd, "slot": odd, "pin": odd, "paid": "on"}
    calls = [
        (url(""), {"who": odd}),
        (url(""), {"who": "anna", "program": odd}),
        (url("_customer", anna), {"sku": [odd, "a"], "quantity": [odd, "1"], "price": [odd, "10"]}),
        (url("_activate", anna), {"offer": odd}),
        (url("_redeem", anna, odd.strip("/") or "x"), form),
        (url("_redeem", anna, "bag"), {**form, "price": "7"}),
    ]
    answers = [till.post(*call).status_code for call in calls]
    assert all(status == 400 for status in answers) if "\0" in odd else set(answers) <= {200, 302}
    assert (balance("anna"), Redemption.objects.count(), sound()) == ((0, 300, 0, 0), 0, True)


def test_what_is_delivered_at_once_is_paid_first(anna: int) -> None:
    link = {"kind": "reward", "key": "film", "type": "digital", "link": "https://example.com/film", "name": "Film",
            "prices": [{"points": 10, "money": 2}]}  # fmt: skip
    apply_documents([link], now=now())
    with pytest.raises(Problems, match="paid first"):
        dues.redeem(Order("film"), customer_id=anna, setup=load("club"), now=now(), way="counter")
    paid = Order("film", payment="till 7")
    assert dues.redeem(paid, customer_id=anna, setup=load("club"), now=now(), way="counter").state == "delivered"
    assert RewardDue.objects.count() == 0


def test_dues_over_http(anna: int) -> None:
    call, setup = Till(), load("club")
    order = Order("bag", price=1, address=ADDRESS)
    first, second = (
        dues.redeem(
            order, customer_id=anna, setup=setup, now=now() + timedelta(seconds=place), way="invoice"
        ).redemption_id
        for place in range(2)
    )
    found = call("get", "dues?state=open&limit=1")
    assert ([one["redemption"] for one in found["dues"]], found["next"]) == ([second], second)
    assert call("get", f"dues?after={second}")["dues"][0]["amount"] == "4.90"
    noted = call("post", f"dues/{first}/paid", {"reference": "bank 1"})
    assert (noted["status"], noted["due"]["state"]) == ("noted", "paid")
    assert call("post", f"dues/{first}/paid", {"reference": "bank 1"})["status"] == "duplicate"
    call("post", f"dues/{first}/paid", {"reference": "bank 2"}, 409)
    call("post", f"dues/{first}/refunded", {"reference": "bank 3"}, 409)
    call("post", "dues/999999/paid", {"reference": "bank 1"}, 404)
    fulfillment.cancel(second, now=now())
    call("post", f"dues/{second}/paid", {"reference": "bank 4"}, 409)
    assert [one["redemption"] for one in call("get", "dues?state=void")["dues"]] == [second]


def test_the_pages_of_dues_and_shares(anna: int, client: Client) -> None:
    client.force_login(User.objects.create_superuser("ada", password="x"))
    done = dues.redeem(
        Order("bag", price=1, address=ADDRESS), customer_id=anna, setup=load("club"), now=now(), way="counter"
    )
    listed = client.get(reverse("admin:checkout_rewarddue_changelist") + "?due=open").content.decode()
    assert "4.90 EUR" in listed and "to be paid" in listed
    url = reverse("admin:checkout_rewarddue_act", args=[done.redemption_id, "paid"])
    assert client.get(url).status_code == 200
    assert "can be packed" in client.post(url, {"reference": "bank"}, follow=True).content.decode()
    assert re.search("Nothing was counted yet", client.get(reverse("admin:checkout_shares")).content.decode())


def test_hints_name_what_people_know(anna: int) -> None:
    from loyalty.rewards.wishes import set_wish

    tier = {"kind": "tier", "key": "gold", "rank": 1, "threshold": 500, "name": {"en": "Gold club", "de": "Goldclub"}}
    dear = {**MUG, "key": "coat", "name": {"en": "Coat", "de": "Mantel"}, "points": 1000}
    apply_documents([tier, dear], now=now())
    set_wish(customer_id=anna, reward="coat", setup=load("club"), now=now())
    seen: Any = counter.customer(anna, setup=load("club"), now=now())
    said = [one["sentence"] for one in seen.hints]
    assert any("Gold club" in one for one in said)
    assert "Saves for Coat: 700 points to go." in said
