"""The admin's pages about people and operations: they answer, ask a fixed number of queries, refuse strangers, act."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns.segments.models import Segment
from loyalty.access.models import ApiKey
from loyalty.consent.models import ConsentEntry, ConsentState
from loyalty.customers.models import Attribute, Customer, ImportJob
from loyalty.events.types import type_id
from loyalty.local.sinklog import Mail, SinkLog
from tests.db.loyalty.world import NOW, populate

pytestmark = pytest.mark.django_db


def pages(customer: Customer) -> dict[str, str]:
    """The pages of this test, by name."""
    change = {
        "customer": reverse("admin:customers_customer_change", args=[customer.pk]),
        "segment": reverse("admin:segments_segment_change", args=[_segment_id()]) + "?who=c0",
        "event type": reverse("admin:events_eventtype_change", args=[type_id("thing_0")]),
        "key": reverse("admin:access_apikey_change", args=[ApiKey.objects.order_by("id")[0].pk]),
        "entry": reverse("admin:consent_consententry_change", args=[ConsentEntry.objects.order_by("id")[0].pk]),
        "import": reverse("admin:customers_importjob_change", args=[ImportJob.objects.order_by("id")[0].pk]),
        "attribute": reverse("admin:customers_attribute_change", args=[Attribute.objects.order_by("id")[0].pk]),
        "erase": reverse("admin:customers_customer_act", args=[customer.pk, "erase"]),
        "record": reverse("admin:consent_record", args=[customer.pk]),
        "lookup": reverse("admin:consent_lookup"),
        "new key": reverse("admin:access_apikey_add"),
        "operations": reverse("admin:local_operations"),
        "in doubt": reverse("admin:local_in_doubt"),
        "mailbox": reverse("admin:local_mailbox"),
        "found": reverse("admin:customers_customer_changelist") + "?q=c0",
        "of a country": reverse("admin:customers_customer_changelist") + "?country=DE",
    }
    lists = (
        *("customers_customer", "customers_attribute", "customers_importjob", "consent_consententry"),
        *("consent_suppression", "events_eventtype", "segments_segment", "access_apikey", "auth_user", "auth_group"),
    )
    return change | {name: reverse(f"admin:{name}_changelist") for name in lists}


def _segment_id() -> int:
    return Segment.objects.get(key="s0").pk


NAMES = [
    *("customer", "segment", "event type", "key", "entry", "import", "attribute", "erase", "record", "lookup"),
    *("new key", "operations", "in doubt", "mailbox", "found", "of a country", "customers_customer"),
    *("customers_attribute", "customers_importjob", "consent_consententry", "consent_suppression", "events_eventtype"),
    *("segments_segment", "access_apikey", "auth_user", "auth_group"),
]


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def staff(client: Client) -> Callable[..., Client]:
    """A member of staff with exactly these permissions."""

    def make(*permissions: str) -> Client:
        user = User.objects.create_user("clerk", is_staff=True)
        for permission in permissions:
            label, _, codename = permission.partition(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=label, codename=codename))
        client.force_login(user)
        return client

    return make


@pytest.fixture
def sink(tmp_path: Path, settings: Any) -> Iterator[SinkLog]:
    settings.SINK_DIR, settings.SINK_SMTP = str(tmp_path), "127.0.0.1:1025"
    log = SinkLog(tmp_path)
    yield log
    log.close()


def test_a_page_answers_and_asks_no_more_for_thirty_than_for_three(boss: Client) -> None:
    counts: dict[int, dict[str, int]] = {}
    for n in (3, 30):
        customer = populate(n)
        addresses = pages(customer)
        assert sorted(addresses) == sorted(NAMES)
        counts[n] = {}
        for name, address in addresses.items():
            boss.get(address)  # fills the caches of the process
            with CaptureQueriesContext(connection) as asked:
                answer = boss.get(address)
            assert answer.status_code == 200, name
            counts[n][name] = len(asked)
    assert counts[30] == counts[3]
    # The customer's page has a panel of nearly every package; each asks a fixed number of questions.
    assert max(counts[30].values()) <= 50


@pytest.mark.parametrize("name", NAMES)
def test_staff_without_permission_is_refused(staff: Callable[..., Client], name: str) -> None:
    address = pages(populate(1))[name]
    assert staff().get(address).status_code == 403


def test_every_list_of_every_package_refuses_staff_without_permission(staff: Callable[..., Client]) -> None:
    client = staff()
    opened = [
        f"{model._meta.label}: {status}"
        for model in admin.site._registry
        if (
            status := client.get(
                reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
            ).status_code
        )
        != 403
    ]
    assert opened == []


def test_acts_need_a_permission_of_their_own(staff: Callable[..., Client]) -> None:
    customer = populate(1)
    client = staff("customers.view_customer")
    page = client.get(pages(customer)["customer"]).content.decode()
    assert "act/erase" not in page
    assert "/export/" not in page
    assert "Record a declaration" not in page
    assert client.post(pages(customer)["erase"]).status_code == 403
    assert client.get(reverse("admin:customers_customer_export", args=[customer.pk])).status_code == 403
    assert Customer.objects.filter(pk=customer.pk).exists()


def test_the_sidebar_shows_what_the_user_may_see(staff: Callable[..., Client]) -> None:
    page = staff("customers.view_customer").get(reverse("admin:customers_customer_changelist")).content.decode()
    assert reverse("admin:customers_customer_changelist") in page
    assert reverse("admin:segments_segment_changelist") not in page
    assert reverse("admin:local_operations") not in page


def test_every_link_of_the_sidebar_exists(settings: Any) -> None:
    names = set(_permissions())
    for _title, entries in settings.SIDEBAR:
        for page, _name, _icon, permission in entries:
            assert reverse(page)
            assert not permission or permission in names


def _permissions() -> list[str]:
    rows = Permission.objects.values_list("content_type__app_label", "codename")
    return [f"{label}.{codename}" for label, codename in rows]


@pytest.mark.parametrize("term", ["c1", "c1@exam", "C1@EXAMPLE.com", "card-1", " c1 "])
def test_people_are_found_by_key_and_beginning(boss: Client, term: str) -> None:
    populate(3)
    page = boss.get(reverse("admin:customers_customer_changelist"), {"q": term})
    assert [customer.external_id for customer in page.context["cl"].result_list] == ["c1"]


def test_a_customer_page_shows_what_is_known(boss: Client) -> None:
    customer = populate(3)
    page = boss.get(pages(customer)["customer"]).content.decode()
    for text in ("c0@example.com", "card-0", "field_2", "Germany", "thing_1", "granted", "s0"):
        assert text in page


def test_the_timeline_is_filtered_and_paged(boss: Client) -> None:
    customer = populate(30)
    address = pages(customer)["customer"]
    first = boss.get(address).content.decode()
    assert "Older" in first
    only = boss.get(address, {"event": "thing_7"}).content.decode()
    assert only.count('class="happened"') == 1
    none = boss.get(address, {"since": "2001-01-01", "until": "2001-01-02"}).content.decode()
    assert "Nothing of this kind happened" in none
    assert boss.get(address, {"after": "nonsense", "event": "no such", "since": "never"}).status_code == 200


def test_erasing_asks_first_and_leaves_nothing(boss: Client) -> None:
    customer = populate(1)
    address = pages(customer)["erase"]
    assert "cannot be undone" in boss.get(address).content.decode()
    assert Customer.objects.filter(pk=customer.pk).exists()
    answer = boss.post(address)
    assert answer.headers["Location"] == reverse("admin:customers_customer_changelist")
    assert not Customer.objects.filter(pk=customer.pk).exists()


def test_the_export_is_a_file_of_everything(boss: Client) -> None:
    customer = populate(1)
    answer = boss.get(reverse("admin:customers_customer_export", args=[customer.pk]))
    assert answer.headers["Content-Disposition"] == f'attachment; filename="customer-{customer.pk}.json"'
    assert {"customer", "consent_entry", "event"} <= set(json.loads(answer.content)["tables"])


def test_a_withdrawal_is_recorded_with_its_source_and_who_wrote_it(boss: Client) -> None:
    customer = populate(1)
    form = {"status": "withdrawn", "channel": "email", "purpose": "marketing", "at": "2026-01-02T10:00:00"}
    address = pages(customer)["record"]
    refused = boss.post(address, form)
    assert refused.status_code == 200
    assert "This field is required" in refused.content.decode()
    at = (NOW + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = boss.post(address, form | {"source": "call to support", "at": at})
    assert answer.headers["Location"] == pages(customer)["customer"]
    entry = ConsentEntry.objects.latest("id")
    assert (entry.status, entry.source, entry.evidence) == ("withdrawn", "call to support", {"recorded_by": "boss"})
    assert ConsentState.objects.get(customer_id=customer.pk).status == "withdrawn"


def test_an_address_is_looked_up_without_standing_in_the_address_line(boss: Client) -> None:
    populate(1)
    address = reverse("admin:consent_lookup")
    known = boss.post(address, {"channel": "sms", "address": "+49 30 0000000"}).content.decode()
    assert "Yes, it is suppressed" in known
    assert (
        "No, this address is not suppressed"
        in boss.post(address, {"channel": "email", "address": "a@b.de"}).content.decode()
    )


def test_a_key_is_shown_once_and_revoked(boss: Client) -> None:
    answer = boss.post(reverse("admin:access_apikey_add"), {"name": "shop", "scopes": ["events:write"], "days": "30"})
    secret = answer.context["secret"]
    assert secret in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    key = ApiKey.objects.get()
    assert secret not in boss.get(reverse("admin:access_apikey_change", args=[key.pk])).content.decode()
    boss.post(reverse("admin:access_apikey_act", args=[key.pk, "revoke"]))
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_a_segment_counts_at_every_node_and_explains(boss: Client) -> None:
    populate(3)
    address = reverse("admin:segments_segment_counts", args=[_segment_id()])
    counted = boss.get(address, headers={"HX-Request": "true"})
    assert [node["counted"].count for node in counted.context["nodes"]] == [1, 1]
    assert boss.get(address).status_code == 302
    page = reverse("admin:segments_explain", args=[_segment_id()])
    assert boss.get(page, {"who": "c0"}).context["explanation"].matches is True
    assert boss.get(page, {"who": "c1"}).context["explanation"].matches is False
    assert "Nobody is known as" in boss.get(page, {"who": "nobody"}).content.decode()


def test_a_segment_is_refreshed_and_deleted_by_buttons(boss: Client) -> None:
    populate(3)
    act = [_segment_id(), "refresh"]
    answer = boss.post(reverse("admin:segments_segment_act", args=act), follow=True)
    assert [str(message) for message in answer.context["messages"]] == ["The segment was built: 1 members."]
    boss.post(reverse("admin:segments_segment_act", args=[_segment_id(), "delete"]))
    assert boss.get(reverse("admin:segments_segment_change", args=[act[0]])).status_code == 302


def test_operations_go_on_without_the_broker(boss: Client, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    page = boss.get(reverse("admin:local_operations")).content.decode()
    assert "The broker does not answer" in page
    assert "segments.refresh" in page


RAW = (
    b"From: a@example.com\r\nTo: c1@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: text/html; charset=utf-8\r\n\r\n<p>Hi</p><script>alert(1)</script><a href="https://x.example/">x</a>'
)


def test_the_mailbox_lists_searches_and_shows(boss: Client, sink: SinkLog) -> None:
    address = reverse("admin:local_mailbox")
    assert "No mail yet" in boss.get(address).content.decode()
    sink.append([Mail("a@example.com", ["c1@example.com"], RAW), Mail("a@example.com", ["c2@example.com"], RAW)])
    assert [entry.n for entry, _at in boss.get(address).context["entries"]] == [2, 1]
    assert [entry.n for entry, _at in boss.get(address, {"to": "C1@"}).context["entries"]] == [1]
    assert "No mail to" in boss.get(address, {"to": "nobody"}).content.decode()
    page = boss.get(reverse("admin:local_mail", args=[1])).content.decode()
    assert "Grüße" in page
    assert "<script>alert(1)" not in page
    assert 'href="https://x.example/"' in page
    assert boss.get(reverse("admin:local_mail", args=[3])).status_code == 404
    assert boss.get(reverse("admin:local_mail_raw", args=[1])).content == RAW


def test_the_html_of_a_mail_may_do_nothing(boss: Client, sink: SinkLog) -> None:
    sink.append([Mail("a@example.com", ["c1@example.com"], RAW)])
    answer = boss.get(reverse("admin:local_mail_html", args=[1]))
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert "script" not in policy
    assert "allow" not in policy
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_mails_are_for_those_who_may_read_them(staff: Callable[..., Client], sink: SinkLog) -> None:
    sink.append([Mail("a@example.com", ["c1@example.com"], RAW)])
    client = staff("local.view_chorestate")
    assert client.get(reverse("admin:local_operations")).status_code == 200
    for name in ("local_mail", "local_mail_html", "local_mail_raw"):
        assert client.get(reverse(f"admin:{name}", args=[1])).status_code == 403


def test_without_a_sink_the_mailbox_says_so(boss: Client, settings: Any) -> None:
    settings.SINK_DIR = ""
    assert "There is no mail sink here" in boss.get(reverse("admin:local_mailbox")).content.decode()
