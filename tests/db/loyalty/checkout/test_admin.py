"""Pages of cards, series, stores and receipts: they show, and their buttons act."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from loyalty.cards import operations as cards
from loyalty.cards import queries
from loyalty.cards.models import Card, CardBatch, CardSeries
from loyalty.checkout import unmatched
from loyalty.checkout.baskets import Basket
from loyalty.checkout.models import Store, UnmatchedReceipt
from loyalty.kit.clock import now
from loyalty.kit.sql import fetch
from tests.db.loyalty.cards.wallet import SERIES, STAFF, series
from tests.db.loyalty.program.club import BASE, applied, balance, customer

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada", password="x"))
    applied(BASE, {"kind": "store", "key": "cologne", "name": {"en": "Cologne"}, "city": "Cologne"})
    series(SERIES, STAFF)
    return client


def act(admin: Client, model: str, pk: int, name: str, **data: object) -> str:
    url = reverse(f"admin:{model}_act", args=[pk, name])
    assert admin.get(url).status_code == 200
    response = admin.post(url, data, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def page(admin: Client, name: str, *args: object) -> str:
    response = admin.get(reverse(f"admin:{name}", args=args))
    assert response.status_code == 200
    return response.content.decode()


def test_empty_lists_teach(client: Client) -> None:
    client.force_login(User.objects.create_superuser("ada", password="x"))
    assert "kind card_series" in page(client, "cards_cardseries_changelist")
    assert "kind store" in page(client, "checkout_store_changelist")
    assert "without a card" in page(client, "checkout_unmatchedreceipt_changelist")
    assert "issue some from a series" in page(client, "cards_card_changelist")


def test_cards_are_issued_printed_and_looked_after(admin: Client) -> None:
    plastic = CardSeries.objects.get(key="plastic")
    assert "3 cards were issued" in act(admin, "cards_cardseries", plastic.pk, "issue", amount=3, note="autumn")
    batch = CardBatch.objects.get()
    assert "autumn" in page(admin, "cards_cardseries_change", plastic.pk)
    file = admin.get(reverse("admin:cards_batch_file", args=[batch.pk]))
    lines = b"".join(file).decode().splitlines()  # type: ignore[arg-type]
    first = Card.objects.order_by("id")[0]
    assert lines[0] == "number,printed,first_name,last_name,locale"
    assert lines[1] == f"{first.number},{queries.grouped(first.number)},,,"
    assert len(lines) == 4
    anna = customer("anna")
    assert "In stock" in page(admin, "cards_card_change", first.pk)
    assert "nobody has this external id" in act(admin, "cards_card", first.pk, "assign", customer="eve")
    assert "was given to anna" in act(admin, "cards_card", first.pk, "assign", customer="anna")
    assert "tills refuse it" in act(admin, "cards_card", first.pk, "block", reason="lost")
    assert "can be used again" in act(admin, "cards_card", first.pk, "unblock")
    assert "Replaced by" in act(admin, "cards_card", first.pk, "replace", reason="lost", new_number="")
    mine = queries.card_of(anna) or ""
    shown = page(admin, "customers_customer_change", anna)
    assert queries.grouped(mine) in shown
    spare = Card.objects.order_by("id")[1]
    new = Card.objects.get(number=mine)
    assert "stands for both" in act(admin, "cards_card", new.pk, "merge", gone=spare.number)
    listed = admin.get(reverse("admin:cards_card_changelist"), {"q": queries.grouped(mine)}).content.decode()
    assert (queries.grouped(mine) in listed, queries.grouped(first.number) in listed) == (True, False)


def test_a_receipt_is_booked_and_a_store_gets_its_key(admin: Client) -> None:
    setup = applied(BASE)
    row = {"id": "r1", "customer": None, "items": [{"sku": "a", "amount": 12}], "store": "cologne"}
    unmatched.keep([Basket.model_validate(row)], setup=setup, now=now())
    receipt = UnmatchedReceipt.objects.get()
    assert "12" in page(admin, "checkout_unmatchedreceipt_change", receipt.pk)
    anna = customer("anna")
    assert "was booked for anna" in act(admin, "checkout_unmatchedreceipt", receipt.pk, "claim", customer="anna")
    assert balance("anna") == (0, 12, 0, 0)
    assert "Receipts claimed afterwards" in page(admin, "customers_customer_change", anna)
    store = Store.objects.get()
    from loyalty.access.operations import create_api_key

    key = create_api_key(name="till 1", scopes=["loyalty:write"], now=now())
    assert "speaks for this store only" in act(admin, "checkout_store", store.pk, "tie", begin=key.secret[:12] + "…")
    assert "till 1" in page(admin, "checkout_store_change", store.pk)
    assert "1 keys speak" in act(admin, "checkout_store", store.pk, "untie")
    assert fetch("SELECT count(*) FROM store_api_key") == [(0,)]


def test_lists_ask_as_many_queries_for_many_rows_as_for_few(
    admin: Client, django_assert_max_num_queries: object
) -> None:
    cards.issue(series="plastic", amount=60, by="kim", now=now())
    with django_assert_max_num_queries(15):  # type: ignore[operator]
        page(admin, "cards_card_changelist")
