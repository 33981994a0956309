"""Writing segments in the admin: forms of operators, the live check, review, save; also without JavaScript."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns.segments import ruletext, tree
from campaigns.segments.models import Segment
from campaigns.segments.operations import save_segment
from campaigns.segments.operator import operators
from campaigns.segments.parameter_forms import STARTS, described
from loyalty.events.operations import intake
from tests.db.loyalty.world import NOW, populate

pytestmark = pytest.mark.django_db
ADD = "/admin/segments/segment/add/"
RULE = {"all": [{"attribute": "country", "in": ["DE", "AT"]}]}


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


def post(client: Client, **body: Any) -> dict[str, Any]:
    answer = client.post(reverse("admin:segments_check"), json.dumps(body), content_type="application/json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_every_operator_has_a_form_with_its_own_field_first() -> None:
    forms = {form["key"]: form for form in described()}
    assert set(forms) == set(operators)
    for key, form in forms.items():
        assert form["fields"][0]["name"] == key
        assert next(iter(form["start"])) == key
        assert {"name", "label", "kind", "choices", "required", "fields"} <= set(form["fields"][0])


@pytest.mark.parametrize("key", sorted(set(STARTS) & set(operators)))
def test_what_a_condition_begins_with_can_be_read(key: str) -> None:
    assert next(tree.leaves(tree.parse(STARTS[key]))).operator == key


def test_kinds_of_fields_are_read_from_the_parameters() -> None:
    forms = {form["key"]: {field["name"]: field for field in form["fields"]} for form in described()}
    assert {name: field["kind"] for name, field in forms["event"].items()} == {
        "event": "text",
        **dict.fromkeys(("count", "sum", "avg", "min", "max", "first", "last", "days"), "comparisons"),
        "of": "text",
        "within": "period",
        "from": "moment",
        "to": "moment",
        "where": "conditions",
    }
    assert forms["consent"]["purpose"]["choices"] == ["marketing", "service", "tracking", "profiling"]
    assert (forms["bucket"]["to"]["ge"], forms["bucket"]["to"]["le"]) == (0.0, 1.0)
    assert list(forms["attribute"]) == ["attribute"]
    assert forms["sequence"]["sequence"]["kind"] == "items"
    assert [field["name"] for field in forms["sequence"]["sequence"]["fields"]][:2] == ["event", "not"]


def test_suggestions_ask_a_fixed_number_of_queries(boss: Client) -> None:
    counts = []
    for n in (3, 30):
        populate(n)
        with CaptureQueriesContext(connection) as asked:
            found = boss.get(reverse("admin:segments_forms")).json()
        counts.append(len(asked))
    assert counts[0] == counts[1]
    keys = {name: {one["key"] for one in ones} for name, ones in found["suggestions"].items()}
    assert {"country", "birth_date", "field_0"} <= keys["attribute"]
    assert "thing_0" in keys["event"]
    assert "s0" in keys["segment"]
    assert "rfm_segment" in keys["insight"]
    labels = {one["key"] for one in found["suggestions"]["insight"][0]["choices"]}
    assert "champions" in labels


def test_a_sound_rule_is_counted_at_every_node(boss: Client) -> None:
    populate(3)
    found = post(boss, rule=RULE)
    assert found["problems"] == []
    assert [(one["where"], one["sentence"], one["count"], one["exact"]) for one in found["nodes"]] == [
        ("rule", "All of these hold", 2, True),
        ("rule.all[0]", "country is one of DE, AT", 2, True),
    ]
    assert (found["count"], found["total"], found["exact"]) == (2, 3, True)
    assert yaml.safe_load(found["text"]) == RULE


def test_mistakes_have_their_lines_and_what_is_sound_its_sentence(boss: Client) -> None:
    text = "all:\n  - {attribute: country, eq: DE}\n  - {evnt: purchase}\n  - {event: purchase,\n     count: many}\n"
    found = post(boss, text=text)
    assert [(one["where"], one["line"]) for one in found["problems"]] == [
        ("rule.all[1].evnt", 3),
        ("rule.all[2].count.eq", 5),
    ]
    assert found["problems"][0]["text"].endswith("(did you mean 'event'?)")
    assert [one["sentence"] for one in found["nodes"]] == ["All of these hold", "country is DE"]
    assert "count" not in found


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: 1\nall: [", 3), ("", 1), ("a: 1\n---\nb: 2\n", 1), ("all:\n\t- x", 2), ("just words", 1)],
)
def test_what_is_no_rule_is_told_by_line(boss: Client, text: str, line: int) -> None:
    found = post(boss, text=text)
    assert found["problems"][0]["line"] == line
    assert found["nodes"] == []


def test_a_whole_document_may_be_pasted() -> None:
    checked = ruletext.from_text("kind: segment\nkey: x\nrule:\n  all:\n    - {attribute: contry, eq: DE}\n")
    assert [(one.where, one.line) for one in checked.mistakes] == [("rule.all[0].attribute", 5)]


@pytest.mark.parametrize("body", ["[", "[]", "1", '{"rule": ' + "[" * 5000 + "]" * 5000 + "}"])
def test_wild_bodies_are_refused_without_a_trace(boss: Client, body: str) -> None:
    answer = boss.post(reverse("admin:segments_check"), body, content_type="application/json")
    assert answer.status_code in (200, 400)
    if answer.status_code == 200:
        assert answer.json()["problems"]


def form(**more: str) -> dict[str, str]:
    text = ruletext.write(RULE)
    return {"key": "new", "name_en": "New", "name_de": "Neu", "description": "", "text": text, "step": "review"} | more


def test_review_then_save(boss: Client) -> None:
    populate(3)
    page = boss.post(ADD, form()).content.decode()
    assert "Who would belong to it" in page
    assert not Segment.objects.filter(key="new").exists()
    answer = boss.post(ADD, form(step="save"), follow=True)
    assert "Saved. The segment has 2 members." in answer.content.decode()
    made = Segment.objects.get(key="new")
    assert (made.name, made.rule) == ({"en": "New", "de": "Neu"}, RULE)


def test_review_tells_who_joins_and_leaves_and_what_it_reads(boss: Client) -> None:
    populate(3)
    made = save_segment(key="x", rule={"attribute": "country", "eq": "CH"}, name={"fr": "Ixe"}, now=NOW).segment
    address = reverse("admin:segments_segment_edit", args=[made.pk])
    assert "country" in boss.get(address).content.decode()
    page = boss.post(address, form(key="other")).content.decode()
    for said in ("What would change", ">+2<", ">−1<", "Some who join", "Some who leave", "<ins>", "<del>"):
        assert said in page.replace("\n", ""), said
    assert Segment.objects.get(pk=made.pk).rule == {"attribute": "country", "eq": "CH"}
    boss.post(address, form(key="other", step="save"))
    made.refresh_from_db()
    assert (made.key, made.rule, made.name) == ("x", RULE, {"en": "New", "de": "Neu", "fr": "Ixe"})
    back = boss.post(address, form(step="edit", name_en="Not yet")).content.decode()
    assert "Not yet" in back


def test_mistakes_keep_what_was_written(boss: Client) -> None:
    page = boss.post(ADD, form(text="all:\n  - {attribute: contry, eq: DE}\n", key="s o")).content.decode()
    assert "line 2: unknown attribute &#x27;contry&#x27;" in page
    save_segment(key="there", rule=RULE, now=NOW)
    assert "There is a segment with this key already." in boss.post(ADD, form(key="there")).content.decode()
    made = save_segment(key="inner", rule=RULE, now=NOW).segment
    save_segment(key="outer", rule={"segment": "inner"}, now=NOW)
    circle = boss.post(reverse("admin:segments_segment_edit", args=[made.pk]), form(text="{segment: outer}"))
    assert "refers to itself" in circle.content.decode()


def test_a_link_begins_a_segment(boss: Client) -> None:
    asked = urlencode({"key": "vips", "name_en": "VIPs", "rule": json.dumps({"all": [{"bucket": "x", "to": 0.5}]})})
    page = boss.get(f"{ADD}?{asked}").content.decode()
    assert 'value="vips"' in page
    assert "{bucket: x, to: 0.5}" in page
    wild = boss.get(ADD + "?" + urlencode({"rule": "<script>"})).content.decode()
    assert "{attribute: country, in: [DE]}" in wild


@pytest.mark.parametrize("permissions", [[], ["view_segment"]])
def test_writing_needs_its_permission(client: Client, permissions: list[str]) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    made = save_segment(key="x", rule=RULE, now=NOW).segment
    edit = reverse("admin:segments_segment_edit", args=[made.pk])
    for address in (ADD, edit):
        assert client.get(address).status_code == 403
        assert client.post(address, form(step="save")).status_code == 403
    expected = 200 if permissions else 403
    assert client.get(reverse("admin:segments_forms")).status_code == expected
    check = client.post(reverse("admin:segments_check"), '{"rule": {"all": []}}', content_type="application/json")
    assert check.status_code == expected
    assert client.get(reverse("admin:segments_check")).status_code in (405, 403)


def test_the_properties_of_events_are_suggested(boss: Client) -> None:
    populate(1)
    intake(
        events=[{"customer": "c0", "name": "order", "occurred_at": NOW.isoformat(), "properties": {"total": 1}}],
        now=NOW,
    )
    found = boss.get(reverse("admin:segments_forms")).json()["suggestions"]["event"]
    assert "order" in {one["key"] for one in found}
    assert all(isinstance(one["properties"], list) for one in found)
