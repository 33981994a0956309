"""The desk in the admin: who may do what, what the pages ask, and that the buttons do it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from loyalty.customers import joining
from loyalty.customers.models import Customer, CustomerMerge
from loyalty.customers.operations import upsert_customers
from loyalty.kit import clock
from loyalty.rights import operations
from loyalty.rights.models import RightsRequest

pytestmark = pytest.mark.django_db
NOW = clock.now() - timedelta(days=40)


def person(external_id: str = "a", **fields: Any) -> int:
    found = upsert_customers([{"external_id": external_id, **fields}], now=NOW, source="test").ids[0]
    assert found
    return found


def file(kind: str, customer_id: int, **fields: Any) -> RightsRequest:
    return operations.file_request(kind=kind, customer_id=customer_id, now=NOW, actor="ada", **fields).request


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def staff(client: Client) -> Callable[..., Client]:
    def make(*permissions: str) -> Client:
        user = User.objects.create_user("clerk", is_staff=True)
        for permission in permissions:
            label, _, codename = permission.partition(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=label, codename=codename))
        client.force_login(user)
        return client

    return make


def pages(customer_id: int, request_id: int, merge_id: int) -> dict[str, str]:
    own = {
        name: reverse(f"admin:rights_{name}", args=[customer_id])
        for name in ("file", "archive", "erasure", "restriction", "claim", "join")
    }
    return own | {
        "customer": reverse("admin:customers_customer_change", args=[customer_id]),
        "requests": reverse("admin:rights_rightsrequest_changelist"),
        "request": reverse("admin:rights_rightsrequest_change", args=[request_id]),
        "merges": reverse("admin:customers_customermerge_changelist"),
        "merge": reverse("admin:customers_customermerge_change", args=[merge_id]),
    }


def test_the_pages_answer_and_ask_no_more_for_many_than_for_few(boss: Client) -> None:
    counts: dict[int, dict[str, int]] = {}
    for n in (3, 30):
        first = person(f"first{n}", email=f"first{n}@example.com", attributes={"size": 1})
        request = file("erase", first)
        for i in range(n):
            stub = person(f"{n}-{i}", identities={"card": f"{n}-{i}"})
            file("access", stub)
            merge = joining.join(customer_id=first, other_id=person(f"{n}-{i}-b"), now=NOW, actor="ada")
        counts[n] = {}
        boss.get(reverse("admin:rights_rightsrequest_changelist"))
        for name, address in pages(first, request.pk, merge.merge_id or 0).items():
            with CaptureQueriesContext(connection) as queries:
                assert boss.get(address).status_code == 200, name
            counts[n][name] = len(queries)
    # The first look at a page may fill a cache.
    assert {name: (few, counts[30][name]) for name, few in counts[3].items() if counts[30][name] > few} == {}


def test_strangers_are_refused_and_buttons_need_their_own_right(staff: Callable[..., Client]) -> None:
    customer_id = person()
    request = file("erase", customer_id)
    other = person("b")
    merge = joining.join(customer_id=customer_id, other_id=other, now=NOW, actor="ada")
    addresses = pages(customer_id, request.pk, merge.merge_id or 0)
    clerk = staff()
    assert {name: clerk.get(address).status_code for name, address in addresses.items()} == dict.fromkeys(
        addresses, 403
    )
    for name in ("erasure", "restriction", "claim", "join", "file"):
        assert clerk.post(addresses[name], {"with": customer_id}).status_code == 403
    for act in ("erase", "refuse", "identity"):
        address = reverse("admin:rights_rightsrequest_act", args=[request.pk, act])
        assert clerk.post(address, {"reason": "x", "how": "x"}).status_code in (302, 403)
    undo = reverse("admin:customers_customermerge_act", args=[merge.merge_id, "undo"])
    assert clerk.post(undo).status_code in (302, 403)
    assert Customer.objects.count() == 1
    request.refresh_from_db()
    assert (request.state, request.identity_checked_at) == ("open", None)


def test_a_request_is_filed_checked_and_carried_out(boss: Client) -> None:
    customer_id = person()
    filed = boss.post(
        reverse("admin:rights_file", args=[customer_id]),
        {"kind": "erase", "received_at": NOW.strftime("%Y-%m-%dT%H:%M:%S")},
    )
    request = RightsRequest.objects.get()
    assert filed["Location"] == reverse("admin:rights_rightsrequest_change", args=[request.pk])
    shown = boss.get(filed["Location"]).content.decode()
    assert "The month is over" in shown
    assert "What erasing removes" in shown
    erase = reverse("admin:rights_rightsrequest_act", args=[request.pk, "erase"])
    boss.post(erase)
    assert Customer.objects.exists()
    boss.post(reverse("admin:rights_rightsrequest_act", args=[request.pk, "identity"]), {"how": "login"})
    assert boss.get(erase).status_code == 200
    assert Customer.objects.exists()
    boss.post(erase)
    assert not Customer.objects.exists()
    assert RightsRequest.objects.get().outcome == "erased"
    assert "overdue" not in boss.get(reverse("admin:rights_rightsrequest_changelist")).content.decode()


def test_the_list_says_what_is_overdue(boss: Client) -> None:
    request = file("access", person())
    late = (clock.now() - request.due_at).days + 1
    assert (
        f'<span class="bad">{late} days overdue</span>'
        in boss.get(reverse("admin:rights_rightsrequest_changelist")).content.decode()
    )


def test_two_are_joined_side_by_side_and_separated(boss: Client) -> None:
    winner, loser = person("a", city="Bonn"), person("b", city="Köln", first_name="Bo")
    address = reverse("admin:rights_join", args=[winner])
    shown = boss.get(address, {"other": "b"}).content.decode()
    assert "the other value goes" in shown
    assert f'name="with" value="{loser}"' in shown
    assert "Nobody else is known by this" in boss.get(address, {"other": "nobody"}).content.decode()
    boss.post(address, {"with": loser})
    assert (Customer.objects.get().city, Customer.objects.get().first_name) == ("Bonn", "Bo")
    merge = CustomerMerge.objects.get()
    assert merge.actor == "boss"
    boss.post(reverse("admin:customers_customermerge_act", args=[merge.pk, "undo"]))
    assert list(Customer.objects.order_by("pk").values_list("pk", "city")) == [(winner, "Bonn"), (loser, "Köln")]


def test_a_card_is_claimed_and_a_person_restricted(boss: Client) -> None:
    customer_id = person()
    upsert_customers([{"identities": {"card": "77"}}], now=NOW, source="test")
    boss.post(reverse("admin:rights_claim", args=[customer_id]), {"kind": "card", "value": "77"})
    assert Customer.objects.count() == 1
    address = reverse("admin:rights_restriction", args=[customer_id])
    boss.post(address, {"reason": "contested"})
    assert Customer.objects.get().restricted_by == "boss"
    assert (
        "nothing is sent since"
        in boss.get(reverse("admin:customers_customer_change", args=[customer_id])).content.decode()
    )
    boss.post(address, {"reason": "settled"})
    assert Customer.objects.get().restricted_at is None


def test_an_erasure_shows_what_goes_and_a_get_changes_nothing(boss: Client) -> None:
    customer_id = person(identities={"card": "1"})
    address = reverse("admin:rights_erasure", args=[customer_id])
    shown = boss.get(address).content.decode()
    assert "customer_identity" in shown
    assert Customer.objects.exists()
    boss.post(address)
    assert not Customer.objects.exists()
