"""Templates in the admin: list, versions, and the preview for a real customer."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.content.definition import TemplateDocument
from campaigns.content.models import Template
from campaigns.content.operations import save_template
from loyalty.customers.models import Customer

pytestmark = pytest.mark.django_db
LIST = "/admin/content/template/"


def body(greeting: str) -> str:
    return (
        f"<mjml><mj-body><mj-section><mj-column><mj-text>{greeting} {{{{ customer.first_name | default('you') }}}}"
        '<a href="https://shop.example/sale">Sale</a> <a href="{{ unsubscribe_url }}">x</a></mj-text></mj-column>'
        "</mj-section></mj-body></mjml>"
    )


def save(key: str = "hello", greeting: str = "Hello") -> Template:
    document = {
        "key": key,
        "name": {"en": "Greeting", "de": "Gruß"},
        "locales": {
            "en": {"subject": "Good day", "body": body(greeting)},
            "de": {"subject": "Guten Tag", "body": body("Hallo")},
        },
    }
    save_template(TemplateDocument.model_validate(document), now=timezone.now())
    return Template.objects.get(key=key)


def person(name: str, **fields: Any) -> Customer:
    at = timezone.now()
    return Customer.objects.create(external_id=name, created_at=at, updated_at=at, **fields)


def queries_of(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def test_list_asks_the_same_queries_for_3_and_30(admin_client: Client) -> None:
    for number in range(3):
        save(f"t{number}")
    admin_client.get(LIST)
    few = queries_of(admin_client, LIST)
    for number in range(3, 30):
        save(f"t{number}")
    assert queries_of(admin_client, LIST) == few


def test_detail_asks_the_same_queries_for_3_and_12_versions(admin_client: Client) -> None:
    person("c1")
    for number in range(3):
        template = save(greeting=f"Hello {number}")
    url = f"{LIST}{template.pk}/change/"
    admin_client.get(url)
    few = queries_of(admin_client, url)
    for number in range(3, 12):
        save(greeting=f"Hello {number}")
    assert queries_of(admin_client, url) == few


def test_detail_shows_links_and_source_of_the_chosen_version(admin_client: Client) -> None:
    person("c1")
    save(greeting="First")
    template = save(greeting="Second")
    page = admin_client.get(f"{LIST}{template.pk}/change/").content.decode()
    assert "https://shop.example/sale" in page
    assert "Second" in page
    assert "First" not in page
    older = admin_client.get(f"{LIST}{template.pk}/change/?version=1").content.decode()
    assert "First" in older
    assert "version=1" in older


def test_preview_speaks_to_the_customer_in_the_chosen_language(admin_client: Client) -> None:
    template = save()
    anna = person("anna", first_name="Anna", locale="en", email="anna@example.com")
    page = admin_client.get(f"{LIST}{template.pk}/change/?customer=ANNA@example.com&locale=de").content.decode()
    assert f"customer={anna.pk}&amp;locale=de" in page
    url = f"{LIST}{template.pk}/preview"
    assert "Hello Anna" in admin_client.get(f"{url}/html/?customer={anna.pk}").content.decode()
    text = admin_client.get(f"{url}/text/?customer={anna.pk}&locale=de").content.decode()
    assert "Guten Tag" in text
    assert "Hallo Anna" in text


def test_preview_is_sealed(admin_client: Client) -> None:
    template = save()
    anna = person("anna", first_name="<img src=x onerror=alert(1)>")
    for part in ("html", "text"):
        answer = admin_client.get(f"{LIST}{template.pk}/preview/{part}/?customer={anna.pk}")
        policy = answer["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "sandbox" in policy
        assert "script-src" not in policy
        assert answer["Referrer-Policy"] == "no-referrer"
        assert b"<img src=x" not in answer.content
    page = admin_client.get(f"{LIST}{template.pk}/change/").content.decode()
    assert page.count("<iframe") == page.count('<iframe class="mail" sandbox referrerpolicy="no-referrer"') == 2


def test_preview_of_nobody(admin_client: Client) -> None:
    template = save()
    assert "There are no customers yet" in admin_client.get(f"{LIST}{template.pk}/change/").content.decode()
    person("anna")
    page = admin_client.get(f"{LIST}{template.pk}/change/?customer=bob").content.decode()
    assert "Nobody has this external id or email." in page
    assert "<iframe" not in page
    for customer in ("0", "x", "9" * 40, ""):
        answer = admin_client.get(f"{LIST}{template.pk}/preview/html/?customer={customer}")
        assert answer.status_code == 200
        assert b"no such customer" in answer.content
    assert admin_client.get(f"{LIST}{template.pk}/preview/raw/").status_code == 404
    assert admin_client.get(f"{LIST}{template.pk}/preview/html/?version=99").status_code == 404


def test_permissions(client: Client) -> None:
    template, anna = save(), person("anna")
    user = User.objects.create_user("clerk", is_staff=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    preview = f"{LIST}{template.pk}/preview/html/?customer={anna.pk}"
    for url in (LIST, f"{LIST}{template.pk}/change/", preview):
        assert client.get(url).status_code == 403, url
    user.user_permissions.set(Permission.objects.filter(codename="view_template"))
    page = client.get(f"{LIST}{template.pk}/change/").content.decode()
    assert "<iframe" not in page
    assert client.get(preview).status_code == 403
