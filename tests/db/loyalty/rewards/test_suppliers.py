"""Suppliers are told of every order until they have it, and what they report brings it further, never back."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from loyalty.customers.erasing import erase_customers
from loyalty.kit import clock, outbound
from loyalty.kit.outbound import Answer, OutboundError
from loyalty.kit.signatures import sign, verify
from loyalty.rewards import fulfillment, supplier_orders, supplying
from loyalty.rewards.handing import hand_over
from loyalty.rewards.models import Redemption, Supplier, SupplierOrder
from tests.db.loyalty.rewards.store import (
    ADDRESS,
    MUG,
    NOW,
    applied,
    events_of,
    member,
    opened,
    order,
    state,
    violations,
)

pytestmark = pytest.mark.django_db
SECRET = "a secret that is long enough"
ACME = {
    "kind": "supplier",
    "key": "acme",
    "name": "Acme GmbH",
    "webhook": {"url": "https://acme.example/orders", "secret_env": "ACME_SECRET"},
}


class Acme:
    """The other side: `answers` are statuses or errors, in turn, the last one for ever; `got` what it took."""

    def __init__(self) -> None:
        self.answers: list[Any] = [200]
        self.headers: dict[str, str] = {}
        self.got: list[dict[str, Any]] = []
        self.keys: list[str] = []

    def send(self, method: str, url: str, *, headers: Any, body: bytes, **rest: Any) -> Answer:
        assert (method, url) == ("POST", "https://acme.example/orders")
        verify(headers["Loyalty-Signature"], body, secrets=[SECRET], now=self.now)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if answer < 300:
            self.got.append(json.loads(body))
            self.keys.append(headers["Idempotency-Key"])
        return Answer(answer, self.headers, b'{"error": "no such article"}', url)

    now = NOW

    def tick(self, later: timedelta = timedelta()) -> int:
        self.now = NOW + later
        return supplying.run(now=self.now)


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> Acme:
    found = Acme()
    monkeypatch.setenv("ACME_SECRET", SECRET)
    monkeypatch.setattr(outbound, "send", found.send)
    return found


def stocked(**webhook: Any) -> Any:
    return opened({**ACME, "webhook": {**ACME["webhook"], **webhook}}, {**MUG, "supplier": "acme"})


def queued() -> list[tuple[str, int, int, int]]:
    return list(SupplierOrder.objects.order_by("pk").values_list("state", "revision", "told", "attempts"))


def test_an_order_is_told_once_with_all_that_is_needed_and_nothing_more(acme: Acme) -> None:
    setup = stocked()
    number = order(member("anna", 500, setup), "mug", setup, note="ring twice").redemption_id
    assert acme.tick() == 2
    assert acme.tick(timedelta(hours=9)) == 0
    assert acme.keys == [f"{number}-1"]
    assert acme.got == [
        {
            "event": "order.placed", "revision": 1, "number": number, "reward": "mug",
            "name": {"en": "Mug", "de": "Becher"}, "type": "physical", "quantity": 1, "ordered_at": NOW.isoformat(),
            "note": "ring twice", "address": ADDRESS,
        }
    ]  # fmt: skip
    assert queued() == [("told", 1, 1, 1)]
    assert Supplier.objects.get().told_at == NOW
    assert violations() == {}


def test_what_changes_is_told_again_and_what_is_cancelled_is_called_off(acme: Acme) -> None:
    setup = stocked()
    anna = member("anna", 500, setup)
    first, second = (order(anna, "mug", setup).redemption_id for _ in range(2))
    acme.tick()
    fulfillment.set_address(first, address={**ADDRESS, "city": "Bonn"}, now=NOW)
    acme.tick()
    fulfillment.cancel(first, now=NOW)
    acme.tick()
    told = [(one["event"], one["number"], one["revision"], one.get("address", {}).get("city")) for one in acme.got]
    assert told == [
        ("order.placed", first, 1, "Köln"),
        ("order.placed", second, 1, "Köln"),
        ("order.changed", first, 2, "Bonn"),
        ("order.cancelled", first, 3, None),
    ]
    # Handed over at the counter, nobody has to send it any more.
    hand_over(second, now=NOW, actor="till")
    acme.tick()
    assert (acme.got[-1], len(acme.got)) == ({"event": "order.cancelled", "number": second, "revision": 2}, 5)
    # Who never knew of an order is not told that it is cancelled.
    third = order(anna, "mug", setup).redemption_id
    supplier_orders.find_new(now=NOW)
    fulfillment.cancel(third, now=NOW)
    assert (acme.tick(), len(acme.got)) == (0, 5)
    assert violations() == {}


def test_a_change_while_it_is_being_sent_is_not_lost(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = stocked()
    number = order(member("anna", 500, setup), "mug", setup).redemption_id
    supplier_orders.find_new(now=NOW)
    taken = supplier_orders.take(now=NOW)
    assert supplier_orders.take(now=NOW) == []
    fulfillment.set_address(number, address={**ADDRESS, "city": "Bonn"}, now=NOW)
    supplier_orders.settle([supplying.judged(taken[0], supplying.Tried(status=200))], now=NOW)
    assert queued() == [("waiting", 2, 1, 0)]
    acme.tick()
    assert [(one["event"], one["address"]["city"]) for one in acme.got] == [("order.changed", "Bonn")]


def test_only_what_was_approved_where_the_document_says_so(acme: Acme) -> None:
    setup = stocked(**{"from": "approved"})
    number = order(member("anna", 500, setup), "mug", setup).redemption_id
    assert acme.tick() == 0
    fulfillment.advance([number], state="approved", now=NOW)
    acme.tick()
    assert [one["number"] for one in acme.got] == [number]


def test_what_went_out_as_csv_before_is_not_ordered_a_second_time(acme: Acme) -> None:
    setup = opened({**MUG, "supplier": "acme"})
    order(member("anna", 500, setup), "mug", setup, now=NOW - timedelta(days=1))
    assert applied(ACME) == ["created"]
    assert acme.tick() == 0
    assert applied(ACME) == ["unchanged"]


def test_a_failure_is_tried_again_later_and_given_up_in_the_end(acme: Acme) -> None:
    setup = stocked()
    order(member("anna", 500, setup), "mug", setup)
    acme.answers = [500]
    acme.tick()
    row = SupplierOrder.objects.get()
    assert (row.state, row.attempts, row.last_status) == ("waiting", 1, 500)
    assert row.last_error == 'answered 500: {"error": "no such article"}'
    assert row.due_at == NOW + timedelta(seconds=30)
    assert acme.tick(timedelta(seconds=29)) == 0
    later = timedelta()
    for _ in range(40):
        later += timedelta(hours=1)
        acme.tick(later)
    assert queued() == [("dead", 1, 0, 10)]
    assert Supplier.objects.get().failures == 10
    acme.answers = [200]
    assert supplier_orders.revive(now=NOW, supplier_id=Supplier.objects.get().pk) == 1
    acme.tick(later)
    assert queued() == [("told", 1, 1, 1)]
    assert (Supplier.objects.get().failures, Supplier.objects.get().resting_until) == (0, None)


def test_an_order_that_they_object_to_is_given_up_at_once_and_the_others_go_on(acme: Acme) -> None:
    setup = stocked()
    anna = member("anna", 500, setup)
    for _ in range(3):
        order(anna, "mug", setup)
    acme.answers = [422, 200]
    assert acme.tick() == 6
    assert queued() == [("dead", 1, 0, 1), ("told", 1, 1, 1), ("told", 1, 1, 1)]


def test_who_does_not_answer_rests_and_orders_do_not_age_meanwhile(acme: Acme) -> None:
    setup = stocked()
    anna = member("anna", 500, setup)
    for _ in range(4):
        order(anna, "mug", setup)
    acme.answers = [OutboundError("timeout", "no answer within 5 seconds", sent=True)]
    acme.tick()
    # One was tried, the others were let go.
    assert sorted(one[3] for one in queued()) == [0, 0, 0, 1]
    for minutes in range(1, 5):
        acme.tick(timedelta(minutes=minutes * 10))
    resting = Supplier.objects.get()
    assert (resting.failures, resting.resting_until) == (5, NOW + timedelta(minutes=41))
    assert acme.tick(timedelta(minutes=40, seconds=59)) == 0
    acme.answers = [200]
    # One goes ahead to see whether it works again, then all.
    assert acme.tick(timedelta(hours=1)) == 1
    assert acme.tick(timedelta(hours=1)) == 3
    assert Supplier.objects.get().failures == 0


def test_who_asks_for_a_pause_gets_it(acme: Acme) -> None:
    setup = stocked()
    order(member("anna", 500, setup), "mug", setup)
    acme.answers, acme.headers = [429], {"retry-after": "120"}
    acme.tick()
    assert queued() == [("waiting", 1, 0, 0)]
    assert Supplier.objects.get().resting_until == NOW + timedelta(seconds=120)


def test_without_its_secret_nothing_is_sent_and_nothing_lost(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = stocked()
    order(member("anna", 500, setup), "mug", setup)
    monkeypatch.delenv("ACME_SECRET")
    acme.tick()
    assert queued() == [("waiting", 1, 0, 0)]
    assert SupplierOrder.objects.get().last_error == "ACME_SECRET is not in the environment"


def test_bad_addresses_are_refused_with_the_reason() -> None:
    for url, why in (
        ("http://acme.example/", "is not encrypted"),
        ("https://10.1.1.1/", "not an address of the public"),
    ):
        with pytest.raises(Exception, match=why):
            applied({**ACME, "webhook": {**ACME["webhook"], "url": url}})
    assert Supplier.objects.count() == 0


def told(client: Client, *reports: dict[str, Any], key: str = "acme", secret: str = SECRET, late: int = 0) -> Any:
    body = json.dumps({"reports": list(reports)}).encode()
    signed = sign(body, secret=secret, at=clock.now() - timedelta(seconds=late))
    return client.post(
        f"/api/v1/loyalty/suppliers/{key}/reports", body, content_type="application/json",
        headers={"Loyalty-Signature": signed},
    )  # fmt: skip


def test_reports_bring_orders_further_and_never_back(acme: Acme, client: Client) -> None:
    setup = stocked()
    anna = member("anna", 500, setup)
    first, second = (order(anna, "mug", setup).redemption_id for _ in range(2))
    acme.tick()
    packed = {"number": first, "state": "packed"}
    shipped = {"number": first, "state": "shipped", "tracking": "JD01 4711"}
    assert told(client, packed).json() == {"applied": 1, "known": 0, "refused": []}
    assert told(client, shipped).json() == {"applied": 1, "known": 0, "refused": []}
    assert told(client, packed, shipped).json() == {"applied": 0, "known": 1, "refused": []}
    assert told(client, packed).json()["known"] == 1
    assert (state(first), Redemption.objects.get(id=first).tracking) == ("shipped", "JD01 4711")
    assert events_of(anna, "reward.shipped")[0]["tracking"] == "JD01 4711"
    # What arrives before it was sent was sent, too.
    assert told(client, {"number": second, "state": "delivered"}).json()["applied"] == 1
    assert state(second) == "delivered"
    assert len(events_of(anna, "reward.shipped")) == 2
    fulfillment.cancel(first, now=NOW)
    stranger = {"number": 999_999, "state": "shipped"}
    answer = told(client, {"number": first, "state": "delivered"}, stranger).json()
    assert answer["refused"] == [
        {"number": first, "problem": "is cancelled: do not send it"},
        {"number": 999_999, "problem": "is no order of yours"},
    ]
    assert violations() == {}


def test_an_older_report_that_is_sent_again_brings_no_older_parcel_back(acme: Acme, client: Client) -> None:
    setup = stocked()
    number = order(member("anna", 500, setup), "mug", setup).redemption_id
    acme.tick()
    packed = {"number": number, "state": "packed", "tracking": "OLD1"}
    told(client, packed)
    told(client, {"number": number, "state": "shipped", "tracking": "NEW2"})
    assert told(client, packed).json() == {"applied": 0, "known": 1, "refused": []}
    assert Redemption.objects.get(id=number).tracking == "NEW2"
    # A number that was wrong is put right where the order stands.
    assert told(client, {"number": number, "state": "shipped", "tracking": "NEW3"}).json()["applied"] == 1
    assert Redemption.objects.get(id=number).tracking == "NEW3"


def test_a_report_settles_what_nobody_knew_whether_it_arrived(acme: Acme, client: Client) -> None:
    setup = stocked()
    number = order(member("anna", 500, setup), "mug", setup).redemption_id
    acme.answers = [OutboundError("timeout", "no answer within 5 seconds", sent=True), 200]
    acme.tick()
    assert told(client, {"number": number, "state": "delivered"}).status_code == 200
    assert queued() == [("told", 1, 1, 1)]
    assert (acme.tick(timedelta(days=1)), acme.got) == (0, [])


def test_reports_that_are_not_signed_now_by_them_change_nothing(acme: Acme, client: Client) -> None:
    setup = stocked()
    number = order(member("anna", 500, setup), "mug", setup).redemption_id
    report = {"number": number, "state": "packed"}
    for answer in (
        told(client, report, secret="another secret, also long"),
        told(client, report, late=301),
        told(client, report, late=-301),
        told(client, report, key="nobody"),
        client.post("/api/v1/loyalty/suppliers/acme/reports", b"{}", content_type="application/json"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
    assert state(number) == "ordered"
    assert Supplier.objects.get().refused_why == "the signature does not belong to this content and this secret"
    for bad in ({"number": number, "state": "lost"}, {"number": 0, "state": "packed"}, {"number": number}):
        assert told(client, bad).status_code == 422
    assert told(client, {**report, "tracking": "a\u0000b"}).status_code == 422
    assert told(client).status_code == 422


def test_while_a_secret_is_changed_reports_with_both_are_believed(
    acme: Acme, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = stocked(old_secret_env="ACME_OLD")
    number = order(member("anna", 500, setup), "mug", setup).redemption_id
    monkeypatch.setenv("ACME_OLD", "the older secret of theirs")
    assert (
        told(client, {"number": number, "state": "packed"}, secret="the older secret of theirs").json()["applied"] == 1
    )
    monkeypatch.setenv("ACME_OLD", "")
    assert told(client, {"number": number, "state": "shipped"}, secret="").status_code == 401


def test_forgotten_people_leave_nothing_with_the_queue(acme: Acme) -> None:
    setup = stocked()
    anna = member("anna", 500, setup)
    number = order(anna, "mug", setup).redemption_id
    acme.answers = [500, 200]
    acme.tick()
    assert SupplierOrder.objects.get().last_error is not None
    erase_customers(customer_ids=[anna])
    assert SupplierOrder.objects.get().last_error is None
    acme.now = clock.now()
    supplying.run(now=acme.now)
    assert acme.got == [{"event": "order.cancelled", "number": number, "revision": 2}]
    assert violations() == {}


def test_finding_and_taking_costs_the_same_for_many(acme: Acme, django_assert_num_queries: Any) -> None:
    setup = stocked()
    anna = member("anna", 5000, setup)
    for _ in range(9):
        order(anna, "mug", setup)
    # Three in savepoints of their own, two reads, two writes.
    with django_assert_num_queries(12):
        assert acme.tick() == 18


def test_the_pages_of_the_staff(acme: Acme, client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    listed, orders = reverse("admin:rewards_supplier_changelist"), reverse("admin:rewards_supplierorder_changelist")
    assert "No supplier yet" in client.get(listed).content.decode()
    assert client.get(orders).status_code == 200
    setup = stocked()
    order(member("anna", 500, setup), "mug", setup)
    acme.answers = [422]
    acme.tick()
    row = Supplier.objects.get()
    page = client.get(reverse("admin:rewards_supplier_change", args=[row.pk])).content.decode()
    assert "no such article" in page and "https://acme.example/orders" in page and SECRET not in page
    assert client.get(listed).status_code == 200 and client.get(orders).status_code == 200
    assert (
        client.get(reverse("admin:rewards_supplierorder_change", args=[SupplierOrder.objects.get().pk])).status_code
        == 200
    )
    act = lambda name: reverse("admin:rewards_supplier_act", args=[row.pk, name])  # noqa: E731
    assert client.get(act("retry")).status_code == 200
    answer = client.post(act("retry"), follow=True)
    assert "1 order will be sent again." in answer.content.decode()
    acme.answers = [200]
    acme.now = clock.now()
    assert "answered 200" in client.post(act("test"), follow=True).content.decode()
    assert acme.got == [{"event": "test", "supplier": "acme"}]
    assert "paused" in client.post(act("pause"), follow=True).content.decode()
    assert supplying.run(now=acme.now) == 0
    client.post(act("resume"))
    acme.now = clock.now()
    assert supplying.run(now=acme.now) == 1
    assert acme.got[-1]["event"] == "order.placed"
