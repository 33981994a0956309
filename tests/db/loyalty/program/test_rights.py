"""Forgetting, showing, joining people and telling them apart again; documents as text; the admin."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from loyalty.customers.erasing import erase_customers
from loyalty.customers.joining import merge_customers, undo_merge
from loyalty.kit.applying import Refused, apply_documents
from loyalty.kit.documents import kinds
from loyalty.kit.sql import fetch
from loyalty.program import movements, operations, purchases
from loyalty.program.models import Adjustment
from loyalty.program.personal_data import export
from tests.db.loyalty.program.club import BASE, NOW, PROGRAM, applied, balance, buy, customer, member_of, violations

pytestmark = pytest.mark.django_db


def test_a_forgotten_person_leaves_bookings_without_a_name() -> None:
    setup = applied(BASE)
    anna = customer("anna")
    buy(setup, "canary-1", "anna", store="canary-2", channel="canary-3", items=[{"sku": "canary-4", "amount": 10}])
    movements.spend(setup=setup, member_id=member_of("anna"), wallet=None, points=4, reason="canary-5", now=NOW)
    operations.request_adjustment(
        member_id=member_of("anna"), wallet=None, points=1, reason="canary-6", by="canary-7", setup=setup, now=NOW
    )
    assert [len(rows) for rows in export(anna).values()] == [1, 2, 2, 1, 2, 0, 1, 0, 0, 0, 0, 0, 0]
    erase_customers(customer_ids=[anna])
    for table in ("member", "booking", "entry", "lot", "points_adjustment", "event"):
        assert fetch(f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%%canary%%'") == [(0,)]
    assert fetch("SELECT customer_id, state FROM member") == [(None, "left")]
    assert fetch("SELECT spent, expired, active, open FROM lot") == [(4, 6, 0, False)]
    assert violations() == {}


def test_joined_people_have_one_ledger_and_can_be_told_apart() -> None:
    setup = applied(BASE)
    anna, ben = customer("anna"), customer("ben")
    buy(setup, "r1", "anna", 30)
    buy(setup, "r2", "ben", 50)
    movements.spend(setup=setup, member_id=member_of("ben"), wallet=None, points=10, now=NOW)
    logged = merge_customers({ben: anna}, reason="test", now=NOW)
    assert balance("anna") == (0, 70, 0, 0)
    assert violations() == {}
    undo_merge(merge_id=logged[ben], now=NOW + timedelta(hours=1), actor="otto")
    assert (balance("anna"), balance("ben")) == ((0, 30, 0, 0), (0, 40, 0, 0))
    assert violations() == {}


def test_a_membership_that_only_the_loser_had_goes_over_and_back() -> None:
    setup = applied(BASE)
    anna, ben = customer("anna"), customer("ben")
    buy(setup, "r2", "ben", 50)
    logged = merge_customers({ben: anna}, reason="test", now=NOW)
    assert balance("anna") == (0, 50, 0, 0)
    undo_merge(merge_id=logged[ben], now=NOW, actor="otto")
    assert balance("ben") == (0, 50, 0, 0)
    assert violations() == {}


DOCUMENTS: list[dict[str, Any]] = [
    PROGRAM,
    {"kind": "tier", "key": "gold", "rank": 1, "threshold": 500, "name": "Gold", "benefits": ["Free shipping"]},
    {**BASE, "caps": {"day": 100, "times": {"max": 2, "per": "month"}},
     "when": {"tiers": ["gold"], "from": "2026-01-01"}},
    {"kind": "earning_rule", "key": "acme", "type": "multiplier", "factor": 1.5, "only": {"brand": ["acme"]},
     "priority": 200, "expiry": {"after": "6 months", "until": "month"}},
    {"kind": "earning_rule", "key": "review", "type": "per_event", "event": "Review", "points": 50,
     "where": {"stars": {"gte": 4}}},
]  # fmt: skip


def test_documents_come_back_as_they_were_and_change_nothing() -> None:
    first = apply_documents(DOCUMENTS, now=NOW)
    assert [change.verdict for change in first] == ["created"] * 5
    exported = [document for kind in ("program", "tier", "earning_rule") for document in kinds.get(kind).export()]
    again = apply_documents(exported, now=NOW)
    assert [change.verdict for change in again] == ["unchanged"] * 5
    assert {change.verdict for change in apply_documents(DOCUMENTS, now=NOW)} == {"unchanged"}
    subscribed = (
        "SELECT t.name FROM event_subscription s JOIN event_type t ON t.id = s.type_id WHERE consumer = 'program'"
    )
    assert sorted(fetch(subscribed)) == [("purchase",), ("review",)]


def test_every_mistake_in_documents_is_told() -> None:
    wrong: list[dict[str, Any]] = [
        {**PROGRAM, "wallets": [{"key": "points", "pending": "soon"}, {"key": "points"}], "colour": "red"},
        {"kind": "tier", "key": "gold", "rank": 0},
        {"kind": "earning_rule", "key": "x", "type": "per_purchas", "points": 1},
        {"kind": "earning_rule", "key": "y", "type": "per_purchase", "pionts": 1, "priority": -1},
    ]
    with pytest.raises(Refused) as refused:
        apply_documents(wrong, now=NOW)
    places = {number: [problem.where for problem in _of(refused.value, number)] for number in range(4)}
    assert places == {
        0: ["wallets[0].pending", "colour"],
        1: ["rank", "threshold"],
        2: ["type"],
        3: ["priority", "points", "pionts"],
    }


def _of(refused: Refused, number: int) -> list[Any]:
    return [problem for document, problem in refused.mistakes if document == number]


def test_a_wallet_with_points_cannot_go() -> None:
    setup = applied()
    customer("anna")
    operations.join(customer_ids=[fetch("SELECT id FROM customer")[0][0]], setup=setup, now=NOW)
    apply_documents([{**PROGRAM, "wallets": [{"key": "points"}, {"key": "stamps"}]}], now=NOW)
    assert balance("anna", "stamps") == (0, 0, 0, 0)
    apply_documents([BASE], now=NOW)
    with pytest.raises(Refused, match="points holds points or has earning rules"):
        apply_documents([{**PROGRAM, "wallets": [{"key": "stamps"}]}], now=NOW)


def test_the_admin_shows_program_members_and_corrections(client: Client) -> None:
    setup = applied(*DOCUMENTS[1:2], *DOCUMENTS[3:], {**BASE, "key": "all"})
    anna = customer("anna")
    purchases.commit(rows=[{"id": "r1", "customer": "anna", "amount": 600}], setup=setup, now=NOW)
    member_id = member_of("anna")
    eva = User.objects.create_superuser("eva", password="x")
    otto = User.objects.create_superuser("otto", password="x")
    client.force_login(eva)
    program_id = fetch("SELECT id FROM program")[0][0]
    page = client.get(reverse("admin:program_program_change", args=[program_id]))
    assert "1.5 times the points on brand acme." in page.content.decode()
    for name in ("program", "member", "adjustment"):
        assert client.get(reverse(f"admin:program_{name}_changelist")).status_code == 200
    assert "Loyalty program" in client.get(reverse("admin:customers_customer_change", args=[anna])).content.decode()
    ask = reverse("admin:program_member_act", args=[member_id, "adjust"])
    assert client.post(ask, {"points": 25, "reason": "mistake"}).status_code == 302
    asked = Adjustment.objects.get()
    approve = reverse("admin:program_adjustment_act", args=[asked.pk, "approve"])
    assert b"cannot decide it" in client.post(approve, follow=True).content
    client.force_login(otto)
    client.post(approve)
    asked.refresh_from_db()
    assert (asked.state, asked.decided_by) == ("approved", "otto")
    assert client.get(reverse("admin:program_member_change", args=[member_id])).status_code == 200
    assert client.get(reverse("admin:program_adjustment_change", args=[asked.pk])).status_code == 200
    client.post(reverse("admin:program_member_act", args=[member_id, "freeze"]))
    refused = purchases.commit(rows=[{"id": "r2", "customer": "anna", "amount": 1}], setup=setup, now=NOW)
    assert [str(problem) for problem in refused.rejected[0][1]] == ["customer: is frozen (look into the reason first)"]
