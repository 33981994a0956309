"""The pages of a program's end and of a member's PIN in the admin."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from loyalty.kit.clock import now
from loyalty.kit.sql import fetch
from loyalty.program import step_up
from loyalty.program.setup import load
from tests.db.loyalty.program.club import BASE, NOW, applied, buy, customer, member_of

pytestmark = pytest.mark.django_db


def test_the_end_of_a_program_by_two_people(client: Any, django_user_model: Any) -> None:
    setup = applied(BASE)
    customer("anna")
    buy(setup, "r1", "anna", 100)
    otto, petra = (django_user_model.objects.create_superuser(name, password="x") for name in ("otto", "petra"))
    client.force_login(otto)
    program = reverse("admin:program_program_change", args=[setup.id])
    end = reverse("admin:program_end", args=[setup.id])
    assert end in client.get(program).content.decode()
    today = now().date()
    days = {"earns": str(today + timedelta(days=30)), "spends": str(today + timedelta(days=60))}
    seen = client.get(end, days).content.decode()
    assert "Members have less than a year to spend" in seen
    assert "1 member is told." in seen
    wrong = client.post(end, {**days, "spends": str(today)}).content.decode()
    assert "This is before the last day to earn" in wrong
    asked = client.post(end, days)
    assert asked.status_code == 302
    act = reverse("admin:program_ending_act", args=[fetch("SELECT id FROM program_end")[0][0], "approve"])
    assert "cannot approve it" in client.post(act, follow=True).content.decode()
    assert load().earns_until is None
    client.force_login(petra)
    assert "Approved: members are told now." in client.post(act, follow=True).content.decode()
    assert load().earns_until == today + timedelta(days=30)
    assert client.get(end).status_code == 302
    assert "you earn points until" in client.get(program).content.decode()
    undone = client.post(act.replace("approve", "undo"), follow=True).content.decode()
    assert "Undone: the program goes on." in undone
    assert load().earns_until is None
    assert client.get(reverse("admin:program_ending_changelist")).status_code == 200


def test_only_who_may_sees_the_end(client: Any) -> None:
    setup = applied(BASE)
    user = User.objects.create_user("rita", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_program"))
    client.force_login(user)
    end = reverse("admin:program_end", args=[setup.id])
    assert client.get(end).status_code == 403
    assert end not in client.get(reverse("admin:program_program_change", args=[setup.id])).content.decode()


def test_staff_forgets_a_pin(admin_client: Any) -> None:
    setup = applied(BASE, pin={"spend_above": 10})
    customer("anna")
    buy(setup, "r1", "anna", 100)
    page = reverse("admin:program_member_change", args=[member_of("anna")])
    assert "No PIN is set yet." in admin_client.get(page).content.decode()
    step_up.set_pin(member_id=member_of("anna"), pin="4713", current=None, setup=setup, now=NOW)
    seen = admin_client.get(page).content.decode()
    assert "A PIN is set since" in seen
    act = reverse("admin:program_member_act", args=[member_of("anna"), "pin"])
    assert act in seen
    assert "The PIN is forgotten" in admin_client.post(act, follow=True).content.decode()
    assert fetch("SELECT count(*) FROM member_pin") == [(0,)]
