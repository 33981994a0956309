"""NUL in addresses, queries and forms is refused, wherever it comes."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root", password="x"))
    return client


def test_no_list_of_the_admin_fails_for_odd_filters(root: Client) -> None:
    root.raise_request_exception = False
    bad = []
    for model, one in admin.site._registry.items():
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        named = [part[0] if isinstance(part, tuple) else part for part in one.get_list_filter(None)]  # type: ignore[arg-type]
        names = [name if isinstance(name, str) else getattr(name, "parameter_name", "") for name in named]
        for query in ["q=%00", *(f"{name}{how}=%00" for name in names if name for how in ("", "__exact"))]:
            if (status := root.get(f"{url}?{query}").status_code) != 400:
                bad.append((url, query, status))
        if (status := root.get(f"{url}?q=%2500").status_code) >= 500:
            bad.append((url, "q=%2500", status))
    assert bad == []


def test_addresses_and_forms_are_refused_and_others_are_not(root: Client) -> None:
    login = reverse("admin:login")
    assert root.get(login + "%00").status_code == 404
    assert root.post(login, {"username": "a\0b"}).status_code == 400
    assert root.post(login, {"username": "a\\0b", "password": "%00"}).status_code == 200
    assert root.get("/api/v1/loyalty/rewards?category=%00").status_code == 401
