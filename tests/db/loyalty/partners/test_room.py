"""The room of a partner: its own figures, by its own key, and nobody else's."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from loyalty.access.operations import create_api_key, revoke_api_key
from loyalty.kit import clock
from loyalty.partners import acquisition, operations, statements
from loyalty.partners.models import PartnerLink, Statement
from tests.db.loyalty.partners.world import NOW, club, partner, settle
from tests.db.loyalty.program.club import buy, customer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh() -> None:
    cache.clear()


def entered(key: str = "bakery") -> tuple[Client, str]:
    client, secret = Client(), operations.create_key(partner=partner(key), now=clock.now()).secret
    assert client.post("/partner/", {"key": secret}).status_code == 302
    return client, secret


def test_a_partner_reads_its_own_statements() -> None:
    setup = club()
    customer("anna")
    buy(setup, "r1", "anna", 100, store="bakery-1")
    settle()
    statements.close_due(now=NOW + timedelta(days=30))
    [bill] = Statement.objects.all()
    client, _secret = entered()
    page = client.get("/partner/room").content.decode()
    assert "Bakery" in page and bill.number in page and "bakery-1" in page
    pdf = client.get(reverse("partner-statement", args=[bill.number, "pdf"]))
    assert (pdf.status_code, pdf["Content-Type"], pdf["Cache-Control"]) == (200, "application/pdf", "no-store")
    assert client.get(reverse("partner-statement", args=[bill.number, "csv"])).status_code == 200
    other, _secret = entered("fuel")
    assert bill.number not in other.get("/partner/room").content.decode()
    assert other.get(reverse("partner-statement", args=[bill.number, "pdf"])).status_code == 404


def test_only_a_living_key_of_a_partner_opens_it() -> None:
    club()
    assert Client().get("/partner/room").status_code == 302
    stranger = create_api_key(name="till", scopes=["loyalty:read"], now=clock.now()).secret
    for key in ("", "nonsense", stranger):
        answer = Client().post("/partner/", {"key": key})
        assert answer.status_code == 422 and "no key of a partner" in answer.content.decode()
    client, secret = entered()
    assert client.get("/partner/room").status_code == 200
    assert revoke_api_key(prefix=secret[:11], now=clock.now()) or revoke_api_key(prefix=secret[:12], now=clock.now())
    assert client.get("/partner/room").status_code == 302
    client, _secret = entered()
    client.post("/partner/sign-out")
    assert client.get("/partner/room").status_code == 302
    forged = Client()
    forged.cookies["partner_room"] = "x" * 40
    assert forged.get("/partner/room").status_code == 302


def test_who_tries_keys_has_to_wait() -> None:
    club()
    client = Client()
    found = [client.post("/partner/", {"key": f"lc_{n}"}).status_code for n in range(11)]
    assert found == [422] * 10 + [429]


def test_whom_a_partner_brought(client: Client) -> None:
    setup = club()
    for number in range(6):
        found = customer(f"c{number}")
        PartnerLink.objects.create(partner=partner(), customer_id=found, enrolled=number < 5, since=NOW)
        buy(setup, f"r{number}", f"c{number}", 10, store="bakery-1" if number else "elsewhere")
    [month] = acquisition.by_month(partner().pk, program_id=setup.id, zone="Europe/Berlin", now=NOW + timedelta(days=1))
    assert (month.brought, month.members, month.active, month.elsewhere) == (5, 5, 5, 1)
    assert [acquisition.told(one) for one in (0, 1, 5)] == ["0", "< 5", "5"]
    room, _secret = entered()
    assert "&lt; 5" in room.get("/partner/room").content.decode()
    client.force_login(User.objects.create_superuser("ada", password="x"))
    page = client.get(reverse("admin:partners_partner_change", args=[partner().pk])).content.decode()
    assert "Members it brought" in page and "/partner/" in page
