"""Receipts claimed in the portal, photos of them, rewards with a part in money, and who never confirmed."""

from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image

from loyalty.checkout import dues, photos, tasks, unmatched
from loyalty.checkout.baskets import Basket
from loyalty.checkout.models import ReceiptPhoto
from loyalty.customers.erasing import erase_customers
from loyalty.customers.models import Customer
from loyalty.customers.operations import upsert_customers
from loyalty.kit import clock
from loyalty.kit.applying import apply_documents
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.portal import tasks as portal_tasks
from loyalty.program.models import Member
from loyalty.program.movements import Grant, grant
from loyalty.program.queries import balances
from loyalty.program.setup import Setup
from loyalty.rewards.models import Redemption
from tests.db.loyalty.portal import house

pytestmark = pytest.mark.django_db
PAGE = "/member/receipts/"
BAG = {
    "kind": "reward", "key": "bag", "type": "physical", "name": {"en": "Bag"},
    "prices": [{"points": 50, "money": 4.9}], "stock": 3,
}  # fmt: skip
ADDRESS = {"name": "Anna", "street": "Weg 1", "postcode": "50667", "city": "Köln", "country": "de"}


def picture(side: int = 400, kind: str = "JPEG", **saved: Any) -> bytes:
    out = BytesIO()
    Image.new("RGB", (side, side), "white").save(out, kind, **saved)
    return out.getvalue()


@pytest.fixture
def club() -> Setup:
    return house.opened(receipt_photos=True)


@pytest.fixture
def anna(client: Client, club: Setup) -> Customer:
    return Customer.objects.get(pk=house.joined(client).customer_id)


def points(club: Setup) -> int:
    return int(balances(Member.objects.get().pk, setup=club, now=clock.now())[0]["available"])


def kept(club: Setup, number: str = "77", amount: int = 40) -> Any:
    basket = Basket.model_validate({"id": f"r{number}", "receipt": number, "customer": None, "amount": amount})
    return unmatched.keep([basket], setup=club, now=clock.now())[0]


def said(client: Client, **data: Any) -> str:
    return client.post(PAGE, data, follow=True).content.decode()


def test_a_receipt_is_claimed_by_its_code_or_by_what_stands_on_it(client: Client, club: Setup, anna: Customer) -> None:
    first, _second = kept(club), kept(club, "78", 60)
    assert "Please fill in the code" in said(client, number="78")
    assert "do not find this receipt" in said(client, code="AAAA-BBBB-CCCC")
    assert "are yours" in said(client, code=first.printed.lower())
    assert "have this receipt already" in said(client, code=first.printed)
    day = clock.now().date().isoformat()
    assert "are yours" in said(client, number="78", day=day, amount="60,00")
    assert points(club) == 100
    assert "78" in client.get(PAGE).content.decode()


def test_a_photo_is_drawn_anew_and_booked_by_somebody(client: Client, club: Setup, anna: Customer) -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    sent = SimpleUploadedFile("../../x.php.jpg", picture(exif=exif) + b"<?php evil ?>", "image/jpeg")
    assert "Thank you. We look at it" in said(client, photo=sent)
    photo = ReceiptPhoto.objects.get()
    stored = bytes(photo.picture)
    assert (b"secret place" in stored, b"php" in stored, stored[:2]) == (False, False, b"\xff\xd8")
    sent.seek(0)
    assert "have this photo already" in said(client, photo=sent)
    staff = Client()
    staff.force_login(User.objects.create_superuser("ada", password="x"))
    shown = staff.get(reverse("admin:checkout_photo", args=[photo.pk]))
    assert (shown["Content-Type"], shown.content) == ("image/jpeg", stored)
    assert client.get(reverse("admin:checkout_photo", args=[photo.pk])).status_code == 302
    url = reverse("admin:checkout_receiptphoto_act", args=[photo.pk, "book"])
    day = clock.now().date().isoformat()
    done = staff.post(url, {"number": "4711", "day": day, "amount": "25.00", "store": ""}, follow=True)
    assert "the points are with the member" in done.content.decode()
    assert points(club) == 25
    assert "booked" in client.get(PAGE).content.decode()
    # The row stays so that one photo counts once; the picture goes.
    assert tasks.clear_photos(now=clock.now() + timedelta(days=31)) == 1
    photo.refresh_from_db()
    assert (photo.picture, photo.state) == (None, "booked")


def test_one_receipt_brings_points_once(client: Client, club: Setup, anna: Customer) -> None:
    kept(club, "90", 10)
    now, day = clock.now(), clock.now().date()
    numbers = [
        photos.send(customer_id=anna.pk, program_id=club.id, content=picture(400 + n), note=None, now=now)[0]
        for n in range(4)
    ]
    book = {"day": day, "store": None, "setup": club, "by": "ada", "now": now}
    photos.book(numbers[0], number="90", amount=10, **book)  # type: ignore[arg-type]
    with pytest.raises(Problems):
        photos.book(numbers[1], number="90", amount=10, **book)  # type: ignore[arg-type]
    photos.book(numbers[1], number="91", amount=5, **book)  # type: ignore[arg-type]
    with pytest.raises(Problems, match="booked already"):
        photos.book(numbers[2], number="91", amount=5, **book)  # type: ignore[arg-type]
    assert points(club) == 15
    photos.refuse(numbers[2], reason="Booked already", by="ada", now=now)
    with pytest.raises(Problems, match="decided already"):
        photos.refuse(numbers[2], reason="again", by="ada", now=now)
    assert "Booked already" in client.get(PAGE).content.decode()
    erase_customers(customer_ids=[anna.pk])
    assert fetch("SELECT count(*) FROM receipt_photo") == [(0,)]


@pytest.mark.parametrize(
    ("content", "said_"),
    [
        (b"GIF89a not a picture", "no photo that we can read"),
        (picture(kind="PNG")[:60], "no photo that we can read"),
        (picture(50), "too small"),
        (picture(kind="GIF"), "no photo that we can read"),
    ],
)
def test_what_is_no_photo(client: Client, anna: Customer, content: bytes, said_: str) -> None:
    assert said_ in said(client, photo=SimpleUploadedFile("a.jpg", content, "image/jpeg"))
    assert not ReceiptPhoto.objects.exists()


def test_five_photos_a_day(client: Client, club: Setup, anna: Customer) -> None:
    for n in range(5):
        photos.send(customer_id=anna.pk, program_id=club.id, content=picture(300 + n), note=None, now=clock.now())
    assert "enough for today" in said(client, photo=SimpleUploadedFile("a.jpg", picture(500), "image/jpeg"))


def test_a_reward_for_points_and_money(client: Client, club: Setup, anna: Customer) -> None:
    apply_documents([BAG], now=clock.now())
    grant([Grant(Member.objects.get().pk, 60)], setup=club, wallet=None, kind="occasion", reason="x", now=clock.now())
    shop = "/member/rewards/"
    assert "50 beans + 4.90 EUR" in client.get(f"{shop}?reward=bag").content.decode()
    done = client.post(shop, {"reward": "bag", "token": "a" * 32, **ADDRESS}, follow=True).content.decode()
    assert "4.90 EUR are still to be paid" in done and "4.90 EUR to be paid at the counter" in done
    order = Redemption.objects.get()
    dues.pay(order.pk, reference="till 1", by="ada", now=clock.now())
    assert "4.90 EUR paid" in client.get(shop).content.decode()
    client.post(shop, {"cancel": str(order.pk)})
    assert "4.90 EUR will be paid back" in client.get(shop).content.decode()
    assert points(club) == 60


def test_released_points_wait_no_more(client: Client, club: Setup, anna: Customer) -> None:
    from loyalty.portal import queries
    from loyalty.program import movements, purchases
    from loyalty.program.setup import load

    program = {**house.PROGRAM[0], "wallets": [{**house.PROGRAM[0]["wallets"][0], "pending": "14d"}]}
    apply_documents([program, {"kind": "store", "key": "c1", "name": {"en": "Cologne"}}], now=clock.now())
    waiting = load("club")
    row = {"id": "w1", "customer": {"email": "anna@example.com"}, "amount": 10, "store": "c1"}
    assert purchases.commit(rows=[row], setup=waiting, now=clock.now()).rejected == []
    page = client.get("/member/points").content.decode()
    assert "waiting to be released" in page and "Cologne" in page
    movements.release(waiting, now=clock.now() + timedelta(days=15))
    assert "waiting to be released" not in client.get("/member/points").content.decode()
    assert queries.movements(Member.objects.get().pk)[0][0].waiting is False


def test_who_never_confirmed_is_forgotten(client: Client, club: Setup) -> None:
    client.post("/member/join", {"email": "new@example.com", "terms": "1"})
    upsert_customers([{"external_id": "known", "email": "known@example.com"}], now=clock.now(), source="shop")
    Client().post("/member/join", {"email": "known@example.com", "terms": "1"})
    house.mailed()
    assert Customer.objects.count() == 2
    assert portal_tasks.forget_unconfirmed(now=clock.now() + timedelta(days=36)) == 0
    assert portal_tasks.forget_unconfirmed(now=clock.now() + timedelta(days=38)) == 1
    assert Customer.objects.get().external_id == "known"
    assert portal_tasks.forget_unconfirmed(now=clock.now() + timedelta(days=38)) == 0


def test_many_points_ask_for_the_pin(client: Client, club: Setup, anna: Customer) -> None:
    assert client.get("/member/pin").status_code == 302
    apply_documents([{**house.PROGRAM[0], "pin": {"spend_above": 20}}, BAG], now=clock.now())
    grant([Grant(Member.objects.get().pk, 60)], setup=club, wallet=None, kind="occasion", reason="x", now=clock.now())
    shop, order = "/member/rewards/", {"reward": "bag", "token": "a" * 32, **ADDRESS}
    assert "protected by it" in client.get(f"{shop}?reward=bag").content.decode()
    assert "set a PIN first" in client.post(shop, order, follow=True).content.decode()
    assert "too easy to guess" in client.post("/member/pin", {"pin": "1234"}).content.decode()
    assert "4 to 8 digits" in client.post("/member/pin", {"pin": "12"}).content.decode()
    assert "Your PIN is set." in client.post("/member/pin", {"pin": "4902"}, follow=True).content.decode()
    assert "PIN is wrong" in client.post("/member/pin", {"pin": "7351", "current": "1111"}).content.decode()
    assert "PIN is wrong" in client.post(shop, {**order, "pin": "0000"}, follow=True).content.decode()
    assert "still to be paid" in client.post(shop, {**order, "pin": "4902"}, follow=True).content.decode()
    assert Redemption.objects.count() == 1


def test_the_end_of_the_program_is_told(client: Client, club: Setup, anna: Customer) -> None:
    from loyalty.program.models import Program

    today = clock.now().date()
    assert "The program ends" not in client.get("/member/").content.decode()
    Program.objects.update(earns_until=today + timedelta(days=30), spends_until=today + timedelta(days=400))
    page = client.get("/member/").content.decode()
    assert "The program ends" in page and "You collect points until" in page
