"""What a partner's key may do, and what it is told."""

from datetime import timedelta

import pytest

from loyalty.kit.applying import apply_documents
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.partners import operations, queries
from loyalty.partners.models import PartnerLink, PartnerTransfer
from tests.db.loyalty.partners.world import BAKERY, NOW, Caller, club, partner, settle, violations
from tests.db.loyalty.program.club import buy, customer
from tests.db.loyalty.program.test_api import Till

pytestmark = pytest.mark.django_db


def with_card(external_id: str, card: str) -> int:
    from loyalty.customers.operations import upsert_customers

    row = {"external_id": external_id, "first_name": "Anna", "email": f"{external_id}@example.com"}
    done = upsert_customers([{**row, "identities": {"card": card}}], now=NOW, source="test")
    assert done.rejected == [] and done.ids[0]
    return done.ids[0]


def test_a_partner_sees_what_its_contract_opens() -> None:
    setup = club()
    anna = with_card("anna", "123")
    buy(setup, "r1", "anna", 100)
    call = Caller()
    ask = {"customer": {"card": "123"}}
    assert call("post", "partner/members/find", ask) == {
        "enrolled": False, "consented": False, "fields": {"balance": 100},
    }  # fmt: skip
    operations.record_consent(
        partner=partner(), customer_id=anna, granted=True, source="portal", text_version="1", at=NOW, now=NOW
    )
    assert call("post", "partner/members/find", ask)["fields"] == {
        "balance": 100, "first_name": "Anna", "email": "anna@example.com",
    }  # fmt: skip
    later = NOW + timedelta(days=1)
    operations.record_consent(
        partner=partner(), customer_id=anna, granted=False, source="portal", text_version=None, at=later, now=later
    )
    assert call("post", "partner/members/find", ask)["fields"] == {"balance": 100}
    assert [(one.customer_id, one.fields, one.occasion) for one in PartnerTransfer.objects.order_by("id")] == [
        (anna, ["balance"], "lookup"),
        (anna, ["balance", "email", "first_name"], "lookup"),
        (anna, ["balance"], "lookup"),
    ]
    found = queries.partners_of(anna)
    assert [(one["key"], one["consented"], one["transfers"], one["fields"]) for one in found] == [
        ("bakery", False, 3, ["balance", "email", "first_name"])
    ]


def test_other_ways_of_asking_and_other_keys_are_refused() -> None:
    club()
    with_card("anna", "123")
    call = Caller()
    wrong = call("post", "partner/members/find", {"customer": {"email": "anna@example.com"}}, 422)
    assert "card, partner" in wrong["error"]["details"][0]["problem"]
    call("post", "partner/members/find", {"customer": {"card": "999"}}, 404)
    # The key of a partner opens nothing else, and other keys are no partner's.
    call("get", "members/anna", None, 403)
    call("get", "partners", None, 403)
    Till()("get", "partner", None, 403)


def test_enrolling_somebody_new_opens_what_the_partner_gave() -> None:
    club()
    call = Caller()
    body = {"number": "77", "fields": {"first_name": "Ben", "email": "ben@example.com"}}
    assert call("post", "partner/members", body) == {
        "enrolled": True, "consented": False, "fields": {"balance": 0, "first_name": "Ben"},
    }  # fmt: skip
    assert call("post", "partner/members", body)["enrolled"] is True
    assert PartnerLink.objects.count() == 1
    assert call("post", "partner/members/find", {"customer": {"partner": "77"}})["fields"]["first_name"] == "Ben"
    # The number of one partner means nobody at another.
    Caller("fuel")("post", "partner/members/find", {"customer": {"partner": "77"}}, 404)
    wrong = call("post", "partner/members", {"number": "1", "fields": {"nick": "x"}}, 422)
    assert wrong["error"]["details"][0]["where"] == "fields.nick"


def test_enrolling_somebody_known_opens_and_changes_nothing() -> None:
    club()
    anna = with_card("anna", "123")
    call = Caller()
    body = {"number": "5", "fields": {"first_name": "Evil", "email": "anna@example.com"}}
    assert call("post", "partner/members", body) == {"enrolled": False, "consented": False, "fields": {"balance": 0}}
    assert fetch("SELECT id, first_name FROM customer") == [(anna, "Anna")]
    assert call("post", "partner/members/find", {"customer": {"partner": "5"}})["fields"] == {"balance": 0}
    with_card("carl", "456")
    clash = call("post", "partner/members", {"number": "5", "card": "456"}, 422)
    assert "different people" in clash["error"]["details"][0]["problem"]


def test_purchases_at_a_partner() -> None:
    club()
    with_card("anna", "123")
    call, other = Caller(), Caller("fuel")
    body = {"id": "1", "customer": {"card": "123"}, "amount": 120, "store": "bakery-1"}
    assert call("post", "partner/transactions/simulate", body)["points"] == 120
    assert fetch("SELECT count(*) FROM booking") == [(0,)]
    done = call("post", "partner/transactions/commit", body)
    assert (done["status"], done["id"], done["points"], done["member"]) == ("committed", "1", 120, {"balance": 120})
    assert call("post", "partner/transactions/commit", body)["status"] == "duplicate"
    wrong = call("post", "partner/transactions/commit", {**body, "id": "2", "store": "pump"}, 422)
    assert wrong["error"]["details"][0]["where"] == "store"
    # Another partner's "1" is another purchase, and it cannot take back ours.
    other("post", "partner/transactions/void", {"transaction": "1"}, 422)
    assert other("post", "partner/transactions/commit", {**body, "store": "pump", "spend": 20})["status"] == "committed"
    back = call("post", "partner/transactions/return", {"id": "b1", "transaction": "1"})
    assert back["reversed"] == {"points": 120}
    settle()
    assert call("get", "partner")["unbilled"] == "0E-10" or float(call("get", "partner")["unbilled"]) == 0
    # 120 points at 2 cents were earned at the pump, 20 at 1 cent were spent there.
    assert float(other("get", "partner")["unbilled"]) == 2.2
    assert violations() == {}


def test_statements_as_json_csv_and_pdf() -> None:
    from io import BytesIO

    from pypdf import PdfReader

    from loyalty.partners import statements

    setup = club()
    customer("anna")
    buy(setup, "=r1", "anna", 100, store="bakery-1")
    settle()
    statements.close_due(now=NOW + timedelta(days=40))
    call = Caller()
    one = call("get", "partner/statements")["statements"][0]
    assert (one["number"], one["gross"], one["paid"]) == ("bakery-2026-03", "1.12", "0")
    assert call("get", "partner/statements/bakery-2026-03")["net"] == "1.10"
    lines = call.raw("get", "partner/statements/bakery-2026-03?format=csv").getvalue().decode().split("\r\n")
    assert lines[:3] == [
        "at,kind,receipt,store,points,rate,amount,currency",
        "2026-03-10T12:00:00+00:00,issue,'=r1,bakery-1,100,0.01,1,EUR",
        "2026-03-10T12:00:00+00:00,fee,'=r1,bakery-1,,,0.1,EUR",
    ]
    paper = call.raw("get", "partner/statements/bakery-2026-03?format=pdf").content
    text = PdfReader(BytesIO(paper)).pages[0].extract_text()
    assert "Statement bakery-2026-03" in text and "1.12 EUR" in text
    Caller("fuel")("get", "partner/statements/bakery-2026-03", None, 404)
    call("get", "partner/statements/bakery-2026-03?format=xml", None, 422)


def test_only_membership_may_be_shown_to_everybody() -> None:
    club()
    fields = [{"field": "email", "to": "members", "why": {"en": "x"}}]
    with pytest.raises(Problems, match="email is personal"):
        apply_documents([{**BAKERY, "contract": {"fields": fields}}], now=NOW)
    with pytest.raises(Problems, match="nothing is called 'emial'"):
        apply_documents([{**BAKERY, "contract": {"fields": [{"field": "emial", "why": {"en": "x"}}]}}], now=NOW)


def test_a_member_decides_about_a_partner() -> None:
    club()
    anna = with_card("anna", "123")
    till = Till.__new__(Till)
    from django.test import Client

    from loyalty.access.operations import create_api_key

    till.client = Client()
    till.key = create_api_key(name="own", scopes=["loyalty:read", "loyalty:write"], now=NOW).secret
    path = "members/anna/partners/bakery/consent"
    till("put", path, {"granted": True, "source": "portal"}, 422)
    assert till("put", path, {"granted": True, "source": "portal", "text_version": "2"}) == {"consented": True}
    assert till("put", path, {"granted": False, "source": "portal"}) == {"consented": False}
    assert till("get", "members/anna/partners")["partners"][0]["key"] == "bakery"
    till("put", "members/anna/partners/nobody/consent", {"granted": False, "source": "x"}, 404)
    assert queries.standing(partner().pk, anna).consented is False
    essence = till("get", "partners")["partners"]
    assert [one["key"] for one in essence] == ["bakery", "fuel"]


def test_the_public_page() -> None:
    from django.test import Client

    club()
    page = Client().get("/joint-control/", headers={"Accept-Language": "en"})
    text = page.content.decode()
    assert page.status_code == 200 and "Bakery" in text and "to greet you" in text and "first name" in text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
