"""Cancelling and withdrawing without signing in, receipts, the portal, the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from campaigns.channels.providers import email_recording
from campaigns.delivery import engine
from loyalty.access.operations import create_api_key
from loyalty.kit import clock
from loyalty.kit.applying import apply_documents
from loyalty.portal import sessions
from loyalty.subscriptions import declaring, letters, operations, paying
from loyalty.subscriptions.models import Charge, Declaration, Subscription
from tests.db.campaigns.delivery.world import World
from tests.db.loyalty.subscriptions import house

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def club() -> None:
    cache.clear()
    email_recording.forget()
    World(now=clock.now()).prepare().sender(settings={})
    house.opened()


def mailed() -> list[Any]:
    declaring.process(now=clock.now())
    letters.write(now=clock.now())
    engine.run(channel="email", now=lambda: clock.now() + timedelta(seconds=1))
    found = sorted(email_recording.recorded, key=lambda mail: mail.id)
    email_recording.forget()
    return found


def active(name: str) -> Subscription:
    one = house.ordered(house.person(name), now=clock.now())
    paying.report(Charge.objects.get(subscription=one).pk, "paid", reference="p", now=clock.now())
    assert len(mailed()) == 1
    one.refresh_from_db()
    return one


def test_a_cancellation_is_received_shown_and_confirmed_by_mail(client: Client) -> None:
    one = active("anna")
    assert "kündigen" not in client.get("/membership/", headers={"accept-language": "en"}).content.decode()
    page = client.get("/membership/cancel", headers={"accept-language": "en"}).content.decode()
    assert "Cancel now" in page
    given = {"name": "Anna", "email": "anna@example.com", "contract": one.number.lower(), "kind": "ordinary"}
    answer = client.post("/membership/cancel", given, headers={"accept-language": "en"})
    assert answer.status_code == 302
    receipt = client.get(answer["Location"], headers={"accept-language": "en"}).content.decode()
    assert "We have received your cancellation" in receipt and one.number.lower() in receipt
    (mail,) = mailed()
    one.refresh_from_db()
    assert (one.state, one.ends_at, Declaration.objects.get().state) == ("cancelled", one.term_ends_at, "done")
    assert mail.to == "anna@example.com"
    assert one.number in mail.text
    assert one.cancelled_at == Declaration.objects.get().received_at


def test_who_cannot_be_matched_waits_for_people_and_is_confirmed_all_the_same(client: Client) -> None:
    one = active("anna")
    given = {"name": "Anna", "email": "other@example.com", "contract": one.number, "kind": "ordinary"}
    assert client.post("/membership/cancel", given).status_code == 302
    (mail,) = mailed()
    declared = Declaration.objects.get()
    one.refresh_from_db()
    assert (mail.to, declared.state, one.state) == ("other@example.com", "unmatched", "active")
    assert declaring.settle(declared.pk, by="boss", now=clock.now(), number=one.number) == one.number
    one.refresh_from_db()
    assert (one.state, one.cancelled_at) == ("cancelled", declared.received_at)
    assert [mail.to for mail in mailed()] == ["anna@example.com"]


def test_a_withdrawal_pays_back(client: Client) -> None:
    one = active("anna")
    answer = client.post("/membership/withdraw", {"name": "Anna", "email": "anna@example.com"})
    assert answer.status_code == 302
    assert len(mailed()) == 1
    one.refresh_from_db()
    assert (one.state, house.charges(one)) == ("withdrawn", [("fee", "paid", "9.90"), ("refund", "due", "9.90")])


def test_good_cause_is_cancelled_ordinarily_and_looked_at(client: Client) -> None:
    one = active("anna")
    given = {"name": "Anna", "email": "anna@example.com", "kind": "extraordinary"}
    assert client.post("/membership/cancel", given).status_code == 422
    assert client.post("/membership/cancel", {**given, "reason": "You moved away."}).status_code == 302
    mailed()
    one.refresh_from_db()
    assert (one.state, Declaration.objects.get().state) == ("cancelled", "unmatched")


def test_receipts_are_for_who_declared(client: Client) -> None:
    assert client.get("/membership/receipt/AAAA").status_code == 404
    wrong = client.post("/membership/cancel", {"name": "", "email": "nobody", "kind": "ordinary"})
    assert (wrong.status_code, Declaration.objects.count()) == (422, 0)


def test_a_member_orders_in_the_portal(client: Client) -> None:
    anna = house.person("anna")
    from loyalty.program.operations import join
    from loyalty.program.setup import load

    join(customer_ids=[anna], setup=load(), now=clock.now())
    client.cookies["member"] = sessions.begin(anna, user_agent="test", now=clock.now())
    page = client.get("/member/membership/?plan=plus").content.decode()
    assert "9,90" in page and 'value="plus"' in page
    import re

    fields = dict(re.findall(r'name="(token|seen)" value="([^"]+)"', page))
    stale = client.post("/member/membership/", {"order": "plus", **fields, "seen": "1-0"})
    assert stale.status_code == 302 and not Subscription.objects.exists()
    for _ in range(2):
        client.post("/member/membership/", {"order": "plus", "early": "1", **fields})
    one = Subscription.objects.get()
    assert (one.state, one.early_start, one.evidence["page"]) == ("ordered", True, "portal")
    paying.report(Charge.objects.get().pk, "paid", reference="p", now=clock.now())
    assert one.number in client.get("/member/membership/?do=cancel").content.decode()
    client.post("/member/membership/", {"cancel": "1"})
    one.refresh_from_db()
    assert one.state == "cancelled"
    client.post("/member/membership/", {"resume": "1"})
    client.post("/member/membership/", {"withdraw": "1"})
    one.refresh_from_db()
    assert one.state == "withdrawn"
    assert client.get("/member/membership/").status_code == 200


def test_the_api_tells_what_is_due_and_counts_each_payment_once(client: Client) -> None:
    house.person("anna")
    secret = create_api_key(name="t", scopes=["loyalty:read", "loyalty:write"], now=clock.now()).secret
    send: dict[str, Any] = {"content_type": "application/json", "headers": {"authorization": f"Bearer {secret}"}}
    body = {"id": "o1", "customer": "anna", "plan": "plus"}
    made = client.post("/api/v1/loyalty/subscriptions", body, **send).json()
    assert client.post("/api/v1/loyalty/subscriptions", body, **send).json() == made
    due = client.get("/api/v1/loyalty/subscriptions/charges", headers=send["headers"]).json()["charges"]
    assert [(one["contract"], one["amount"]) for one in due] == [(made["number"], "9.90")]
    path = f"/api/v1/loyalty/subscriptions/charges/{due[0]['id']}"
    fresh = [client.post(f"{path}/paid", {"reference": "b1"}, **send).json()["fresh"] for _ in range(2)]
    assert fresh == [True, False]
    assert client.post(f"{path}/paid", {"reference": "b2"}, **send).status_code == 422
    assert client.post("/api/v1/loyalty/subscriptions/charges/99/paid", {"reference": "b"}, **send).status_code == 404
    saving = client.get(f"/api/v1/loyalty/subscriptions/{made['number']}/saving", headers=send["headers"]).json()
    assert (saving["paid"], saving["saved"]) == ("9.90", "-9.90")
    ended = client.post(f"/api/v1/loyalty/subscriptions/{made['number']}/cancel", {}, **send).json()
    assert ended["state"] == "cancelled"


def test_a_plan_is_exported_as_it_was_applied_and_mistakes_are_told() -> None:
    from loyalty.kit.documents import kinds
    from loyalty.kit.problems import Problems

    (document,) = kinds.get("plan").export()
    assert [one.verdict for one in apply_documents([document], now=clock.now())] == ["unchanged"]
    with pytest.raises(Problems, match="there is no tier 'platin'.*no voucher pool"):
        house.opened(benefits={"tier": "platin", "vouchers": [{"pool": "nope"}]})
    with pytest.raises(Problems, match="longer than a month"):
        house.opened(notice="60d")
    assert operations is not None
