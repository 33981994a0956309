"""Double opt-ins, silent consents, topics and suppressions in the admin."""

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns.tracking import ageing, optin
from loyalty.consent import existing
from loyalty.consent.models import ConsentAge, OptInRequest, Suppression, SuppressionRelease, Topic
from loyalty.consent.operations import suppress
from loyalty.consent.optin import Asked
from loyalty.kit import clock
from tests.db.campaigns.delivery.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    made = World(now=clock.now()).prepare()
    made.sender(settings={})
    return made


@pytest.fixture
def staff() -> Callable[..., Client]:
    def logged_in(name: str, *permissions: str) -> Client:
        user = User.objects.create_user(name, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return logged_in


def ask(world: World, count: int) -> list[int]:
    people = world.customers(count, consent=None)
    for person in people:
        asked = Asked(person, "email", f"c{person}@example.com", ["marketing"], [], "shop", "v1", "I agree <b>")
        optin.start(asked, now=clock.now())
    return people


def queries_of(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def test_the_list_of_double_opt_ins_asks_the_same_for_2_and_12(world: World, admin_client: Client) -> None:
    url = "/admin/consent/optinrequest/"
    assert "Nobody has signed up yet" in admin_client.get(url).content.decode()
    ask(world, 2)
    few = queries_of(admin_client, url)
    ask(world, 10)
    assert queries_of(admin_client, url) == few
    assert admin_client.get(url + "?state=confirmed").status_code == 200


def test_a_double_opt_in_shows_both_steps_and_gives_its_proof(
    world: World, admin_client: Client, staff: Callable[..., Client]
) -> None:
    (person,) = ask(world, 1)
    request = OptInRequest.objects.get()
    shown = admin_client.get(f"/admin/consent/optinrequest/{request.pk}/change/").content.decode()
    assert "I agree &lt;b&gt;" in shown
    assert "waits for the click" in shown
    pdf = admin_client.get(f"/admin/tracking/proof/{request.pk}/pdf/")
    assert (pdf["Content-Type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
    assert admin_client.get(f"/admin/tracking/proof/{request.pk}/json/").json()["address"] == f"c{person}@example.com"
    assert admin_client.get(f"/admin/tracking/proof/{request.pk}/xml/").status_code == 404
    assert staff("nobody").get(f"/admin/tracking/proof/{request.pk}/pdf/").status_code == 403
    existing.record_bases([existing.Basis(person, "coffee", world.now, "You may object", "shop")], now=world.now)
    profile = admin_client.get(f"/admin/customers/customer/{person}/change/").content.decode()
    assert "Own choices" in profile
    assert "coffee" in profile


def test_silent_people_page_by_page(world: World, admin_client: Client) -> None:
    url = "/admin/tracking/silent/"
    assert "Nobody is silent." in admin_client.get(url).content.decode()
    people = world.customers(3, consent=None)
    for person in people:
        ConsentAge.objects.create(
            customer_id=person, channel="email", sign_at=world.now - timedelta(days=900), warned_at=world.now
        )
    shown = admin_client.get(url).content.decode()
    assert f"c{people[0]}" in shown
    assert "After 24 months they stand here, after 36 they get no advertising" in shown
    first = ageing.people(limit=2)
    second = ageing.people(after=first.following, limit=2)
    assert [row["customer_id"] for row in (*first.rows, *second.rows)] == people
    assert second.following == ""
    assert admin_client.get(url + "?after=x.y").status_code == 200


def test_topics_are_written_changed_and_deleted(
    world: World, admin_client: Client, staff: Callable[..., Client]
) -> None:
    given = {"key": "coffee", "name_en": "Coffee", "name_de": "Kaffee", "position": 2, "channels": ["email"]}
    assert admin_client.post("/admin/consent/topic/add/", given).status_code == 302
    topic = Topic.objects.get()
    assert (topic.key, topic.name, topic.channels) == ("coffee", {"en": "Coffee", "de": "Kaffee"}, ["email"])
    page = f"/admin/consent/topics/{topic.pk}/edit/"
    assert admin_client.post(page, given | {"key": "other", "name_en": "Beans"}).status_code == 302
    topic.refresh_from_db()
    assert (topic.key, topic.name["en"]) == ("coffee", "Beans")
    for url in ("/admin/consent/topic/", f"/admin/consent/topic/{topic.pk}/change/", page):
        assert admin_client.get(url).status_code == 200
    viewer = staff("viewer", "view_topic")
    assert (viewer.get(page).status_code, viewer.get("/admin/consent/topic/add/").status_code) == (403, 403)
    admin_client.post(f"/admin/consent/topic/{topic.pk}/act/delete/")
    assert Topic.objects.count() == 0


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a@example.com\nB@Example.com\nnonsense\n\n", (2, 1)),
        ("\ufeffName;E-Mail\nJörg;a@example.com\n;b@example.com\n".encode(), (2, 0)),
        ("Name;E-Mail\nJörg;a@example.com\n".encode("cp1252"), (1, 0)),
    ],
)
def test_a_list_is_imported_with_a_report(
    world: World, admin_client: Client, content: bytes, expected: tuple[int, int]
) -> None:
    suppress("email", addresses=["a@example.com"], reason="complaint", now=world.now)
    given = {"file": io.BytesIO(content), "channel": "email", "purpose": "marketing", "reason": "Robinson"}
    answer = admin_client.post("/admin/consent/suppressions/import/", given)
    report = answer.context["report"]
    assert (report["taken"], report["refused"]) == expected
    assert Suppression.objects.filter(purpose="marketing", reason="Robinson").count() == expected[0]
    assert Suppression.objects.get(purpose="").reason == "complaint"


def test_two_people_release_an_address(world: World, staff: Callable[..., Client]) -> None:
    (person,) = world.customers(1)
    suppress("email", addresses=[f"c{person}@example.com"], reason="complaint", now=world.now)
    suppression = Suppression.objects.get()
    rights = ("view_suppression", "change_suppression", "view_suppressionrelease", "change_suppressionrelease")
    first, second = staff("first", *rights), staff("second", *rights)
    asking = f"/admin/consent/suppression/{suppression.pk}/act/release/"
    assert first.get(f"/admin/consent/suppression/{suppression.pk}/change/").status_code == 200
    first.post(asking, {"why": "short"})
    assert SuppressionRelease.objects.count() == 0
    first.post(asking, {"why": "Pressed the wrong button, called us today."})
    first.post(asking, {"why": "Pressed the wrong button, called us today."})
    release = SuppressionRelease.objects.get()
    deciding = f"/admin/consent/suppressionrelease/{release.pk}/act/release/"
    first.post(deciding)
    assert Suppression.objects.count() == 1
    second.post(deciding)
    release.refresh_from_db()
    assert (release.state, release.asked_by, release.decided_by) == ("released", "first", "second")
    assert Suppression.objects.count() == 0
    assert second.get("/admin/consent/suppressionrelease/").status_code == 200
    assert second.get(f"/admin/consent/suppressionrelease/{release.pk}/change/").status_code == 200
    assert second.get("/admin/consent/suppression/").status_code == 200


def test_the_list_of_existing_customers_teaches(admin_client: Client) -> None:
    answer: Any = admin_client.get("/admin/consent/existingcustomer/")
    assert "EXISTING_CUSTOMER_ADS" in answer.content.decode()
