"""The portal in the admin."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from campaigns.channels.providers import email_recording
from loyalty.portal.models import EntryRequest, Portal, Session
from tests.db.loyalty.portal.house import joined, opened

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Any:
    cache.clear()
    opened()
    joined(Client())
    client = Client()
    client.force_login(User.objects.create_superuser("boss", password="a-long-passphrase"))
    yield client
    email_recording.forget()


@pytest.mark.parametrize("model", [Portal, EntryRequest, Session])
def test_lists_and_details_open(staff: Client, model: Any) -> None:
    name = f"admin:portal_{model._meta.model_name}"
    assert staff.get(reverse(f"{name}_changelist")).status_code == 200
    shown = staff.get(reverse(f"{name}_change", args=[model.objects.get().pk]))
    assert shown.status_code == 200
    assert "digest" not in shown.content.decode()


def test_a_browser_is_signed_out_after_asking(staff: Client) -> None:
    url = reverse("admin:portal_session_act", args=[Session.objects.get().pk, "end"])
    assert staff.get(url).status_code == 200
    assert Session.objects.count() == 1
    staff.post(url)
    assert Session.objects.count() == 0
