"""Templates in the database: versions, documents, contexts, HTTP."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns.content import context, operations, queries
from campaigns.content.definition import read
from campaigns.content.models import Template, TemplateVersion
from campaigns.content.render import PlainLinks, renderer
from loyalty.access.operations import create_api_key
from loyalty.kit.documents import kinds
from loyalty.kit.problems import Problems

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
END = '<a href="{{ unsubscribe_url }}">Stop</a>'
DOCUMENT: dict[str, Any] = {
    "kind": "template",
    "key": "winback",
    "name": {"en": "Win back", "de": "Rückgewinnung"},
    "channel": "email",
    "purpose": "marketing",
    "locales": {
        "de": {
            "subject": "{{ customer.first_name | default('Hallo') }}, wir vermissen Sie",
            "body": f"<p>Hallo</p>{END}",
        },
        "en": {
            "subject": "We miss you",
            "body": f"<p>Hello {{{{ event.item | default('you') }}}}</p>{END}",
            "text": "Hello",
        },
    },
}

pytestmark = pytest.mark.django_db


def save(**changes: Any) -> operations.SavedTemplate:
    return operations.save_template(read({**DOCUMENT, **changes}), now=NOW)


def add_customer(external_id: str, **columns: Any) -> int:
    columns = {"external_id": external_id, "created_at": NOW, "updated_at": NOW, **columns}
    columns["attributes"] = json.dumps(columns.get("attributes", {}))
    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO customer ({names}) VALUES ({marks}) RETURNING id", list(columns.values()))
        return int(cursor.fetchone()[0])


def test_a_version_is_made_when_and_only_when_what_goes_out_changes() -> None:
    first = save()
    assert (first.change.verdict, first.number) == ("created", 1)
    assert save().change.verdict == "unchanged"
    renamed = save(name={"en": "Other"})
    assert (renamed.change.verdict, renamed.version_id) == ("updated", first.version_id)
    reworded = save(locales={"de": {"subject": "x", "body": END}})
    assert (reworded.change.verdict, reworded.number) == ("updated", 2)
    reordered = save(locales=dict(reversed(DOCUMENT["locales"].items())))
    assert reordered.number == 3
    assert Template.objects.get(key="winback").current_version_id == reordered.version_id
    assert TemplateVersion.objects.count() == 3
    assert (
        renderer(first.version_id).locale_for("fr") == "de" and renderer(reordered.version_id).locale_for("fr") == "en"
    )


def test_an_unset_purpose_is_marketing_and_the_channel_of_a_template_stays() -> None:
    document = {name: value for name, value in DOCUMENT.items() if name not in ("purpose", "channel")}
    operations.save_template(read(document), now=NOW)
    template = Template.objects.get(key="winback")
    assert (template.channel, template.purpose) == ("email", "marketing")
    with pytest.raises(Problems, match="the template is for email"):
        operations.save_template(read({**DOCUMENT, "channel": "sms", "locales": {"de": {"body": "x"}}}), now=NOW)


def test_what_is_exported_changes_nothing_when_applied() -> None:
    save()
    save(key="texts", channel="sms", purpose=None, sender="sms_main", locales={"en": {"body": "Hi {{ now | date }}"}})
    kind = kinds.get("template")
    exported = [json.loads(json.dumps(document)) for document in kind.export()]
    assert [document["key"] for document in exported] == ["texts", "winback"]
    assert exported[1] == DOCUMENT and list(exported[1]["locales"]) == ["de", "en"]
    versions = TemplateVersion.objects.count()
    for document in exported:
        assert kind.apply(document, now=NOW + timedelta(days=1), declared={}).verdict == "unchanged"
    assert TemplateVersion.objects.count() == versions


def test_every_mistake_of_every_locale_is_told_at_once_and_nothing_is_written() -> None:
    locales = {
        "de": {"subject": "{{ customer.frist_name }}", "body": "<p>a</p>\n{{ 'a' * 3 }}"},
        "en": {"subject": "{{ x", "body": f"<script>x</script>{END}", "text": "{{ nope }}"},
    }
    with pytest.raises(Problems) as caught:
        save(locales=locales)
    found = [problem.where for problem in caught.value.problems]
    assert found == [
        "locales.de.subject line 1",
        "locales.de.body line 2",
        "locales.de.body",
        "locales.en.subject line 1",
        "locales.en.text line 1",
        "locales.en.body line 1",
    ]
    assert Template.objects.count() == 0


def test_unknown_fields_wrong_types_and_keys_are_told() -> None:
    with pytest.raises(Problems) as caught:
        read(
            {
                "kind": "template",
                "key": "A b",
                "chanel": "email",
                "locales": {"en": {"body": 3, "titel": "x"}},
                "purpose": "spam",
            }
        )
    assert [problem.where for problem in caught.value.problems] == [
        "key",
        "purpose",
        "locales.en.body",
        "locales.en.titel",
        "chanel",
    ]


def test_fields_that_the_same_apply_declares_are_known() -> None:
    document = {**DOCUMENT, "locales": {"en": {"subject": "{{ customer.shoe_size }}", "body": END}}}
    with pytest.raises(Problems, match="unknown name 'customer.shoe_size'"):
        kinds.get("template").apply(document, now=NOW, declared={})
    change = kinds.get("template").apply(document, now=NOW, declared={"attribute": {"shoe_size"}})
    assert change.verdict == "created"


def test_contexts_of_many_customers_need_one_query_and_leave_out_what_is_unknown() -> None:
    ids = [
        add_customer(
            f"c{n}",
            first_name="Ada",
            email="",
            birth_date="1990-05-01",
            attributes={"size": 38, "spent": 12.50, "tags": ["a"]},
        )
        for n in range(50)
    ]
    with CaptureQueriesContext(
        connection,
    ) as few:
        context.contexts(ids[:1], now=NOW)
    with CaptureQueriesContext(connection) as many:
        made = context.contexts(
            ids,
            now=NOW,
            events={
                ids[0]: {"name": "cart_updated", "occurred_at": "2026-11-20T10:00:00Z", "properties": {"amount": 5}}
            },
            shared={"flow": {"key": "f", "name": "F"}, "imprint": "Us"},
        )
    assert len(few) == len(many) == 1
    values = made[ids[0]]
    assert dict(values["customer"]) == {
        "external_id": "c0", "first_name": "Ada", "birth_date": "1990-05-01", "size": 38, "spent": "12.5", "tags":
        ["a"],
    }  # fmt: skip
    assert values["event"]["amount"] == 5 and values["event"]["name"] == "cart_updated"
    assert values["flow"]["name"] == "F" and values["imprint"] == "Us" and values["now"] == "2026-11-21T09:00:00+00:00"
    assert dict(made[ids[1]]["event"]) == {}
    assert context.contexts([10**9], now=NOW) == {}


def test_a_stored_version_renders_for_a_stored_customer() -> None:
    saved = save()
    customer = add_customer("c1", first_name="<Ada>", locale="de-AT")
    values = context.contexts([customer], now=NOW)[customer]
    links = PlainLinks("https://us.example/u/1", "https://us.example/p/1")
    message = renderer(saved.version_id).render(values, locale="de-AT", links=links)
    assert message.subject == "<Ada>, wir vermissen Sie"
    assert 'href="https://us.example/u/1"' in message.html
    assert message.text.startswith("Hallo\n\nStop ( https://us.example/u/1 )")
    with pytest.raises(LookupError):
        renderer(10**6)
    assert queries.links(saved.version_id) == ()


@pytest.fixture
def api(client: Client) -> Any:
    key = create_api_key(name="test", scopes=["templates:read", "templates:write"], now=datetime.now(UTC))
    headers = {"HTTP_AUTHORIZATION": f"Bearer {key.secret}"}

    def call(method: str, path: str, body: object = None) -> Any:
        return client.generic(
            method,
            f"/api/v1/templates/{path}",
            json.dumps(body) if body is not None else "",
            "application/json",
            **headers,
        )

    return call


def test_templates_are_saved_read_and_tried_over_http(api: Any) -> None:
    add_customer("c1", first_name="Ada", locale="en-GB")
    created = api("PUT", "winback", {name: value for name, value in DOCUMENT.items() if name != "kind"})
    assert created.status_code == 200, created.content
    assert created.json() == {"key": "winback", "version": 1, "verdict": "created", "warnings": []}
    assert api("GET", "winback").json() == {**DOCUMENT, "version": 1}
    assert api("GET", "nothing").status_code == 404
    shown = api("POST", "winback/preview", {"customer": "c1", "event": {"item": "<b>"}})
    assert shown.status_code == 200, shown.content
    assert shown.json()["locale"] == "en" and shown.json()["subject"] == "We miss you"
    assert "Hello &lt;b&gt;" in shown.json()["html"] and "/u/preview" in shown.json()["html"]
    assert (
        api("POST", "winback/preview", {"customer": "c1", "locale": "de"}).json()["subject"] == "Ada, wir vermissen Sie"
    )
    assert api("POST", "winback/preview", {"customer": "nobody"}).status_code == 404
    assert api("POST", "nothing/preview", {"customer": "c1"}).status_code == 404


def test_a_refused_template_answers_with_every_mistake(api: Any) -> None:
    refused = api("PUT", "winback", {**DOCUMENT, "locales": {"en": {"subject": "{{ a }}{{ b }}", "body": "<p>x</p>"}}})
    assert refused.status_code == 422
    assert [detail["where"] for detail in refused.json()["error"]["details"]] == [
        "locales.en.subject line 1",
        "locales.en.subject line 1",
        "locales.en.body",
    ]
    assert api("PUT", "other", DOCUMENT).status_code == 422
    save(locales={"en": {"subject": "{{ customer.first_name }}", "body": END}})
    add_customer("c2")
    broken = api("POST", "winback/preview", {"customer": "c2"})
    assert broken.status_code == 422 and "first_name has no value" in broken.json()["error"]["details"][0]["problem"]


def test_the_invariants_of_templates_hold_and_notice_what_breaks_them() -> None:
    from loyalty.kit.checks import invariants

    ours = {item.key: item.query for item in invariants() if item.key.startswith("content.")}
    assert set(ours) == {"content.current_version", "content.unsubscribe"}

    def violations(key: str) -> int:
        with connection.cursor() as cursor:
            cursor.execute(ours[key])
            return len(cursor.fetchall())

    saved = save()
    save(key="texts", channel="sms", locales={"en": {"body": "Hi"}})
    assert {key: violations(key) for key in ours} == {"content.current_version": 0, "content.unsubscribe": 0}
    Template.objects.filter(key="texts").update(current_version_id=saved.version_id)
    version = TemplateVersion.objects.get(pk=saved.version_id)
    version.compiled["locales"]["de"]["html"] = "<p>no link</p>"
    TemplateVersion.objects.filter(pk=version.pk).update(compiled=version.compiled)
    assert {key: violations(key) for key in ours} == {"content.current_version": 1, "content.unsubscribe": 1}
