"""Permissions of users and roles are told in the reader's language."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils.translation import override

from loyalty.access.admin import permission_words


@pytest.mark.django_db
def test_permissions_are_told_in_the_language_of_who_reads() -> None:
    usual = Permission.objects.select_related("content_type").get(codename="view_apikey")
    own = Permission.objects.select_related("content_type").get(codename="use_counter")
    with override("de"):
        assert permission_words(usual) == "Zugang | API-Schlüssel | ansehen"
        assert permission_words(own) == (
            "Kasse | Personal einer Filiale | Darf an der Theke Kunden nachsehen und für sie buchen"
        )
    with override("en"):
        assert permission_words(own) == (
            "Point of sale | staff of a store | Can look up customers and book at the counter"
        )


@pytest.mark.django_db
def test_the_form_of_a_role_tells_them_so(admin_client: Client) -> None:
    page = admin_client.get("/admin/auth/group/add/", headers={"accept-language": "de"}).content.decode()
    assert "Darf die E-Mails im Testpostfach lesen" in page
    assert "Can add" not in page
