"""Pages that look at segments, and lists: they answer, refuse strangers, ask a fixed number of queries."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from campaigns.segments import lists
from campaigns.segments.models import CustomerList, Segment
from campaigns.segments.operations import save_segment
from loyalty.customers.models import Customer
from loyalty.insights.features.rfm import SEGMENTS
from loyalty.local.state import REPOSITORY
from tests.db.loyalty.world import NOW, populate

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def pair() -> tuple[Segment, Segment]:
    """Three people; `german` has one, `neighbors` two of them and the first one, `outer` asks for german."""
    populate(3)
    german = save_segment(key="german", rule={"attribute": "country", "eq": "DE"}, name={"en": "German"}, now=NOW)
    both = save_segment(key="neighbors", rule={"attribute": "country", "in": ["DE", "AT"]}, now=NOW)
    save_segment(key="outer", rule={"segment": "german"}, now=NOW)
    return german.segment, both.segment


def addresses(one: Segment) -> list[str]:
    return [
        reverse("admin:segments_explain", args=[one.pk]) + "?who=c0",
        reverse("admin:segments_history", args=[one.pk]) + f"?on={timezone.localtime(NOW).date()}",
        reverse("admin:segments_graph"),
        reverse("admin:segments_graph") + "?of=german",
        reverse("admin:segments_overlap") + "?a=german&b=neighbors",
        reverse("admin:segments_customerlist_changelist"),
    ]


def test_strangers_are_refused(client: Client, pair: tuple[Segment, Segment]) -> None:
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    assert [client.get(address).status_code for address in addresses(pair[0])] == [403] * 6


def test_who_may_not_see_people_sees_none(client: Client, pair: tuple[Segment, Segment]) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_segment"))
    client.force_login(user)
    for address in addresses(pair[0])[:2]:
        page = client.get(address).content.decode()
        assert "c0@example.com" not in page
        assert "Ada" not in page


def test_queries_do_not_grow(boss: Client) -> None:
    counts = []
    for n in (3, 30):
        populate(n)
        for key in ("german", "neighbors"):
            save_segment(key=key, rule={"attribute": "country", "eq": "DE"}, now=NOW)
        save_segment(key=f"outer_{n}", rule={"segment": "german"}, now=NOW)
        found = []
        for address in addresses(Segment.objects.get(key="german")):
            boss.get(address)
            with CaptureQueriesContext(connection) as asked:
                assert boss.get(address).status_code == 200
            found.append(len(asked))
        counts.append(found)
    assert counts[0] == counts[1]


def test_explain_tells_verdict_value_and_stays(boss: Client, pair: tuple[Segment, Segment]) -> None:
    address = reverse("admin:segments_explain", args=[pair[0].pk])
    page = boss.get(address, {"who": "c0"}).content.decode()
    for said in ("The rule holds.", "country is DE", "known: DE", "still in it"):
        assert said in page
    other = boss.get(address, {"who": "c1@example.com"}).content.decode()
    for said in ("The rule does not hold.", "known: AT", "Never, as far as is known"):
        assert said in other
    assert "Nobody is known as" in boss.get(address, {"who": "nobody"}).content.decode()
    assert boss.get(reverse("admin:segments_explain", args=[999_999])).status_code == 404


def test_history_tells_size_members_and_rules(boss: Client, pair: tuple[Segment, Segment]) -> None:
    save_segment(key="german", rule={"attribute": "country", "eq": "AT"}, now=NOW + timedelta(minutes=5))
    address = reverse("admin:segments_history", args=[pair[0].pk])
    page = boss.get(address, {"on": timezone.localtime(NOW).date().isoformat()}).content.decode()
    assert "{attribute: country, eq: AT}" in page
    assert "{attribute: country, eq: DE}" in page
    assert "When somebody moved" in page
    assert "1 at the end of" in page
    assert "Nobody was in it" in boss.get(address, {"on": "2001-01-01"}).content.decode()
    assert boss.get(address, {"on": "2026-99-99", "after": "x", "span": "?"}).status_code == 200


def test_the_graph_draws_what_is_used_before_its_users(boss: Client, pair: tuple[Segment, Segment]) -> None:
    page = boss.get(reverse("admin:segments_graph"), {"of": "german"}).content.decode()
    assert page.count("<rect class=") == 2
    assert '<rect class="box segment here"' in page
    assert "Segments by themselves" not in page
    whole = boss.get(reverse("admin:segments_graph")).content.decode()
    assert "neighbors" in whole[whole.index("Segments by themselves") :]
    assert "It uses no other segment" in boss.get(reverse("admin:segments_graph"), {"of": "neighbors"}).content.decode()


def test_the_overlap_has_three_parts(boss: Client, pair: tuple[Segment, Segment]) -> None:
    answer = boss.get(reverse("admin:segments_overlap"), {"a": "german", "b": "neighbors"})
    assert [(part["style"], part["count"]) for part in answer.context["parts"]] == [("a", 0), ("both", 1), ("b", 1)]
    assert boss.get(reverse("admin:segments_overlap"), {"a": "x"}).status_code == 200


def test_rfm_begins_segments(boss: Client) -> None:
    populate(1)
    call_command("apply", str(Path(REPOSITORY, "campaigns/gallery/playbooks/rfm_segments.yaml")))
    made = {one.key: one.rule for one in Segment.objects.filter(key__startswith="rfm_")}
    assert made == {f"rfm_{key}": {"all": [{"insight": "rfm_segment", "in": [key]}]} for key in SEGMENTS}


def upload(text: str, **more: Any) -> dict[str, Any]:
    file = SimpleUploadedFile("people.csv", text.encode(), "text/csv")
    return {"named_by": "external_id", "file": file, "people": ""} | more


def test_a_list_is_made_filled_and_emptied(boss: Client) -> None:
    populate(3)
    made = boss.post("/admin/segments/customerlist/add/", {"key": "guests", "name_en": "Guests", "name_de": ""})
    found = CustomerList.objects.get(key="guests")
    assert made.headers["Location"] == reverse("admin:segments_customerlist_change", args=[found.pk])
    address = reverse("admin:segments_customerlist_people", args=[found.pk])
    page = boss.post(address, upload("name;external_id\nA;c0\nB;c1\nC;c9\n", add="1"), follow=True).content.decode()
    assert "2 people were put on the list." in page
    assert "1 are not known: c9" in page
    assert "admin: boss" in page
    emptied = boss.post(
        address, {"named_by": "email", "people": "c0@example.com\n\nc0@example.com", "remove": "1"}, follow=True
    )
    assert "1 people were taken off the list." in emptied.content.decode()
    left = Customer.objects.get(external_id="c1").pk
    assert [row["customer_id"] for row in lists.members(found.pk)] == [left]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"named_by": "external_id", "people": "", "add": "1"}, "Nobody is named."),
        (upload("", add="1") | {"file": SimpleUploadedFile("x", b"\xff\xfe\xff")}, "This is no text in UTF-8."),
        ({"named_by": "shoe", "people": "c0", "add": "1"}, "Select a valid choice."),
    ],
)
def test_what_cannot_be_read_is_told(boss: Client, data: dict[str, Any], said: str) -> None:
    lists.save_list(key="guests", now=NOW)
    found = CustomerList.objects.get()
    address = reverse("admin:segments_customerlist_people", args=[found.pk])
    assert said in boss.post(address, data, follow=True).content.decode()


def test_lists_need_their_permissions(client: Client) -> None:
    lists.save_list(key="guests", now=NOW)
    found = CustomerList.objects.get()
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_customerlist"))
    client.force_login(user)
    assert client.get(reverse("admin:segments_customerlist_change", args=[found.pk])).status_code == 200
    assert client.get("/admin/segments/customerlist/add/").status_code == 403
    people = reverse("admin:segments_customerlist_people", args=[found.pk])
    assert client.post(people, {"named_by": "external_id", "people": "c0"}).status_code == 403
