"""Senders in the admin: settings without secrets, pause and resume."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns.channels.models import Sender

pytestmark = pytest.mark.django_db
LIST = "/admin/channels/sender/"


def sender(key: str = "shop", **fields: Any) -> Sender:
    settings = {"host": "mail.example", "from_email": "a@shop.example", "password_env": "SHOP_PASSWORD"}
    return Sender.objects.create(
        **{"key": key, "channel": "email", "provider": "email_smtp", "settings": settings, **fields}
    )


def queries_of(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def test_list_asks_the_same_queries_for_3_and_30(admin_client: Client) -> None:
    for number in range(3):
        sender(f"s{number}")
    admin_client.get(LIST)
    few = queries_of(admin_client, LIST)
    for number in range(3, 30):
        sender(f"s{number}")
    assert queries_of(admin_client, LIST) == few


def test_detail_shows_settings_and_never_a_secret(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2-from-environment")
    made = sender()
    page = admin_client.get(f"{LIST}{made.pk}/change/").content.decode()
    assert "mail.example" in page
    assert "SHOP_PASSWORD" in page
    assert "hunter2" not in page


def test_a_secret_of_a_foreign_provider_is_not_shown(admin_client: Client) -> None:
    made = sender(provider="sms_foreign", settings={"api_key": "hunter2", "auth_token": "hunter3", "region": "eu"})
    page = admin_client.get(f"{LIST}{made.pk}/change/").content.decode()
    assert "hunter" not in page
    assert "set, not shown" in page
    assert "This sender cannot send." in page
    assert "eu" in page


def test_wrong_settings_are_told(admin_client: Client) -> None:
    made = sender(settings={"host": "mail.example", "from_email": "nobody"})
    page = admin_client.get(f"{LIST}{made.pk}/change/").content.decode()
    assert "This sender cannot send." in page
    assert "from_email" in page


def test_pause_and_resume(admin_client: Client) -> None:
    made = sender()
    pause, resume = (f"{LIST}{made.pk}/act/{act}/" for act in ("pause", "resume"))
    assert admin_client.get(pause).status_code == 200
    made.refresh_from_db()
    assert made.state == Sender.State.ACTIVE, "a GET only asks"
    assert admin_client.post(pause).status_code == 302
    made.refresh_from_db()
    assert made.state == Sender.State.PAUSED
    page = admin_client.get(f"{LIST}{made.pk}/change/").content.decode()
    assert "This sender is paused." in page
    assert "/act/pause/" not in page
    assert admin_client.post(resume).status_code == 302
    made.refresh_from_db()
    assert made.state == Sender.State.ACTIVE


def test_permissions(client: Client) -> None:
    made = sender()
    user = User.objects.create_user("clerk", is_staff=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    for url in (LIST, f"{LIST}{made.pk}/change/", f"{LIST}{made.pk}/act/pause/"):
        assert client.get(url).status_code == 403, url
    user.user_permissions.set(Permission.objects.filter(codename="view_sender"))
    assert client.get(f"{LIST}{made.pk}/change/").status_code == 200
    assert client.post(f"{LIST}{made.pk}/act/pause/").status_code == 403
    made.refresh_from_db()
    assert made.state == Sender.State.ACTIVE
