"""The calls of tills, shops and portals, and the pages of the admin."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from loyalty.kit.sql import fetch
from loyalty.offers import queries, redeeming
from loyalty.offers.models import Offer, Voucher, VoucherPool
from tests.db.loyalty.offers.shop import NOW, applied, basket, customer, items, offer, pool, shared
from tests.db.loyalty.program.test_api import Till

pytestmark = pytest.mark.django_db
TEN: dict[str, Any] = {"type": "percent", "percent": 10}


@pytest.fixture
def till() -> Till:
    applied(
        pool("ten", TEN, name={"en": "Ten", "de": "Zehn"}),
        shared("sale", "SALE", {"type": "amount", "amount": 5}, stack={"alone": True}),
        pool("shop", TEN, codes={"type": "imported", "low": 3}),
        pool("card", {"type": "gift_card", "amount": 50}),
        offer("three", {"type": "amount", "amount": 3}, name={"en": "Three off"}),
    )
    customer("anna")
    return Till()


def test_from_issuing_to_the_return(till: Till) -> None:
    body = {"pool": "ten", "vouchers": [{"customer": "anna", "id": "v1"}]}
    [issued] = till("post", "vouchers", body)
    assert till("post", "vouchers", body) == [issued]
    code = issued["code"]
    [mine] = till("get", "members/anna/vouchers")
    assert (mine["code"], mine["status"], mine["sentence"]) == (code, "usable", "10 % off.")
    checkout = {"customer": "anna", "codes": [code, "SALE", "nope"], "items": items(100)}
    answer = till("post", "vouchers/validate", checkout)
    assert (answer["discount"], answer["to_pay"], answer["valid"]) == ("10.00", "90.00", False)
    assert {one["name"]: one["reason"] for one in answer["refused"]} == {"SALE": "alone", "nope": "unknown"}
    held = till("post", "vouchers/reserve", checkout | {"id": "t1"})
    assert (held["state"], held["repeated"]) == ("reserved", False)
    which = {"reservation": held["reservation"]}
    assert till("post", "vouchers/redeem", which)["state"] == "redeemed"
    assert till("post", "vouchers/redeem", which)["repeated"]
    refused = till("post", "vouchers/release", which, status=422)
    assert refused["error"]["details"][0]["where"] == "reservation"
    assert till("post", "vouchers/return", which)["state"] == "returned"
    at_once = till("post", "vouchers/redeem", checkout | {"id": "t2", "codes": [code]})
    assert at_once["answer"]["discount"] == "10.00"
    assert till("get", "members/anna/vouchers")[0]["status"] == "used"


def test_gift_cards_and_refunds(till: Till) -> None:
    [card] = till("post", "vouchers", {"pool": "card", "vouchers": [{"amount": "20.00"}]})
    done = till("post", "vouchers/redeem", {"id": "t1", "codes": [card["code"]], "items": items(15)})
    assert done["answer"]["paid"] == "15.00"
    body = {"reservation": done["reservation"], "id": "r1", "amount": "4.50"}
    assert till("post", "vouchers/refund", body) == {"refunded": "4.50"}
    assert till("post", "vouchers/refund", body) == {"refunded": "0"}


def test_offers_and_codes(till: Till) -> None:
    assert [one["state"] for one in till("get", "members/anna/offers")] == ["open"]
    assert till("post", "offers/three/activate", {"customer": "anna"})["state"] == "active"
    assert till("post", "offers/three/give", {"customers": ["anna"]}) == {"given": 1}
    assert [one["sentence"] for one in till("get", "offers")["offers"]] == ["3 EUR off."]
    done = till("post", "vouchers/pools/shop/codes", {"codes": ["AAAA1", {"code": "BBBB2"}, "a"]})
    assert (done["accepted"], done["doubles"], done["rejected"][0]["index"]) == (2, 0, 2)
    page = till("get", "vouchers/pools/shop?limit=1")
    assert (page["counts"], len(page["vouchers"])) == ({"stock": 2, "issued": 0, "void": 0}, 1)
    assert till("get", f"vouchers/pools/shop?after={page['next']}")["next"] is None
    assert queries.running_low() == [("shop", 2, 3)]
    assert len(till("get", "vouchers/pools")["pools"]) == 4


def test_wrong_input(till: Till) -> None:
    assert till("get", "members/nobody/offers", status=404)["error"]["code"] == "not_found"
    assert till("get", "vouchers/pools/nope", status=404)["error"]["code"] == "not_found"
    wrong = till("post", "vouchers", {"pool": "ten", "vouchers": [{"customer": "nobody"}]}, status=422)
    assert wrong["error"]["details"][0]["where"] == "vouchers[0].customer"
    wrong = till("post", "vouchers/reserve", {"id": "t9", "codes": ["nope"], "mode": "all"}, status=422)
    assert wrong["error"]["details"] == [{"where": "codes[0]", "problem": "There is no such code."}]
    till("post", "vouchers/redeem", {"reservation": "00000000-0000-0000-0000-000000000001"}, status=422)


def test_a_key_that_only_reads_redeems_nothing(till: Till) -> None:
    from loyalty.access.operations import create_api_key
    from loyalty.kit.clock import now

    till.key = create_api_key(name="reader", scopes=["loyalty:read"], now=now()).secret
    till("post", "vouchers/validate", {"items": items(1)})
    till("post", "vouchers/reserve", {"id": "t1", "items": items(1)}, status=403)


@pytest.fixture
def desk(till: Till) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ada", "ada@example.com", "secret"))
    return client


def test_every_page_of_the_admin_opens(desk: Client) -> None:
    anna = fetch("SELECT id FROM customer")[0][0]
    pool_of = VoucherPool.objects.get(key="ten")
    three = Offer.objects.get(key="three")
    act = reverse("admin:offers_voucherpool_act", args=[pool_of.pk, "issue"])
    assert desk.get(act).status_code == 200
    assert desk.post(act, {"customer": "anna"}).status_code == 302
    code = Voucher.objects.get(pool=pool_of).code
    assert code
    redeeming.redeem_now(basket(10, codes=(code,), customer="anna", id="t1"), now=NOW)
    voucher = Voucher.objects.get(code=code)
    pages = [
        reverse("admin:offers_voucherpool_changelist"),
        reverse("admin:offers_voucherpool_add"),
        reverse("admin:offers_voucherpool_change", args=[pool_of.pk]),
        reverse("admin:offers_voucherpool_edit", args=[pool_of.pk]),
        reverse("admin:offers_voucherpool_codes", args=[VoucherPool.objects.get(key="shop").pk]),
        reverse("admin:offers_offer_changelist"),
        reverse("admin:offers_offer_new"),
        reverse("admin:offers_offer_change", args=[three.pk]),
        reverse("admin:offers_offer_edit", args=[three.pk]),
        reverse("admin:offers_voucher_changelist") + f"?q={code.lower()}",
        reverse("admin:offers_voucher_change", args=[voucher.pk]),
        reverse("admin:customers_customer_change", args=[anna]),
    ]
    for address in pages:
        response = desk.get(address)
        assert response.status_code == 200, address
    assert code in desk.get(pages[-1]).content.decode()
    assert code in desk.get(pages[-3]).content.decode()


def test_documents_are_written_and_paused_in_the_admin(desk: Client) -> None:
    page = reverse("admin:offers_voucherpool_new")
    text = "kind: voucher_pool\nkey: neu\nbenefit: {type: percent, percent: 500}\n"
    wrong = desk.post(page, {"text": text})
    assert "Line 3" in wrong.content.decode()
    done = desk.post(page, {"text": text.replace("500", "5")})
    made = VoucherPool.objects.get(key="neu")
    assert done.headers["Location"] == reverse("admin:offers_voucherpool_change", args=[made.pk])
    desk.post(reverse("admin:offers_voucherpool_act", args=[made.pk, "pause"]))
    made.refresh_from_db()
    assert (made.state, made.definition["state"]) == ("paused", "paused")
    desk.post(reverse("admin:offers_voucherpool_act", args=[made.pk, "resume"]))
    made.refresh_from_db()
    assert (made.state, "state" in made.definition) == ("active", False)


def test_a_file_of_codes(desk: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = VoucherPool.objects.get(key="shop")
    text = "code;valid_until\nAAAA1;2030-12-31\nbbbb-2;\n;\nCCCC3;yesterday\naaaa 1;\n"
    file = SimpleUploadedFile("codes.csv", text.encode())
    page = desk.post(reverse("admin:offers_voucherpool_codes", args=[shop.pk]), {"file": file})
    report = page.context["report"]
    assert (report.accepted, report.doubles, [line for line, _ in report.rejected]) == (2, 1, [5])
    more = tmp_path / "codes.txt"
    more.write_text("DDDD4\nAAAA1\n")
    call_command("import_codes", "shop", str(more))
    assert capsys.readouterr().out == "1 codes taken, 1 were there, 0 refused\n"
