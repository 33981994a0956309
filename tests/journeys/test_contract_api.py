"""The HTTP API as a stranger calls it who read nothing but the public formats."""

import json
import re
from typing import Any

import pytest
from django.test import Client

from campaigns.channels.models import Sender
from loyalty.access.operations import create_api_key
from loyalty.customers.models import Attribute
from loyalty.kit.clock import now

pytestmark = pytest.mark.django_db

CONSENT = {
    "channel": "email",
    "purpose": "marketing",
    "status": "granted",
    "source": "checkout",
    "at": "2026-01-02T03:04:05Z",
}
TEMPLATE = {
    "channel": "email",
    "locales": {"en": {"subject": "Hi", "body": '<p>Hi <a href="{{ unsubscribe_url }}">no more</a></p>'}},
}
FLOW = {
    "kind": "flow",
    "key": "winback",
    "entry": [{"segment_entered": "lapsing"}, {"api": True}],
    "reentry": {"after": "90d"},
    "exit_on": [{"event": "purchase"}],
    "goal": {"event": "purchase", "within": "14d", "value": "amount"},
    "holdout": 0.1,
    "steps": [
        {"id": "hello", "type": "send", "template": "winback", "to": ["email", "sms"]},
        {"id": "pause", "type": "wait_for_event", "event": "message.clicked", "of": "hello", "timeout": "3d"},
        {"id": "nudge", "type": "send", "template": "winback", "to": "all"},
    ],
}


@pytest.fixture
def call() -> Any:
    secret = create_api_key(name="stranger", scopes=["*"], now=now()).secret
    client = Client()

    def send(method: str, path: str, body: object = None) -> tuple[int, Any]:
        response = client.generic(
            method,
            f"/api/v1/{path}",
            "" if body is None else body if isinstance(body, str) else json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"},
        )
        return response.status_code, json.loads(response.content) if response.content else None

    return send


@pytest.fixture
def winback(call: Any) -> Any:
    """The flow of the public formats, kept but not published, and its customers."""
    people = [{"external_id": "c1", "email": "ada@example.com"}, {"external_id": 7, "email": "bob@example.com"}]
    call("POST", "customers/batch", {"customers": people})
    call("PUT", "segments/lapsing", {"rule": {"attribute": "country", "eq": "DE"}})
    call("PUT", "templates/winback", TEMPLATE)
    assert call("PUT", "flows/winback", FLOW)[0] == 200
    return call


@pytest.fixture
def running(winback: Any) -> Any:
    Sender.objects.create(
        key="shop",
        channel="email",
        provider="email_recording",
        settings={"from_email": "shop@example.com"},
        created_at=now(),
        updated_at=now(),
    )
    assert winback("POST", "flows/winback/publish")[0] == 200
    return winback


def test_a_flow_is_put_read_and_put_back_as_it_was_read(winback: Any) -> None:
    status, shown = winback("GET", "flows/winback")
    assert (status, shown["state"], shown["version"]) == (200, "draft", None)
    assert {name: shown[name] for name in FLOW} == FLOW
    status, again = winback("PUT", "flows/winback", shown)
    assert (status, again["verdict"]) == (200, "unchanged")


def test_a_flow_without_a_sender_is_kept_but_not_published(winback: Any) -> None:
    status, answer = winback("POST", "flows/winback/publish")
    assert status == 422
    assert [item["where"] for item in answer["error"]["details"]] == ["steps[0].sender", "steps[2].sender"]
    assert winback("GET", "flows/winback")[1]["state"] == "draft"


@pytest.mark.parametrize(
    "body",
    [
        {"policy": "send_now"},
        {"policy": "shift"},
        {"policy": {"skip_older_than": "2d"}},
        {"policy": "skip_older_than: 2d"},
        {"policy": "skip_older_than", "skip_older_than": "2d"},
        {"skip_older_than": "2d"},
    ],
)
def test_a_pause_ends_with_any_spelling_of_a_policy(running: Any, body: dict[str, Any]) -> None:
    assert running("POST", "flows/winback/pause") == (200, {"flow": "winback", "state": "paused"})
    assert running("POST", "flows/winback/resume", body) == (200, {"flow": "winback", "state": "running"})


@pytest.mark.parametrize("body", [{}, {"policy": "later"}, {"policy": {"skip_older_than": 2}}, {"policy": ["shift"]}])
def test_a_policy_that_is_none_is_refused_in_one_sentence(running: Any, body: dict[str, Any]) -> None:
    running("POST", "flows/winback/pause")
    status, answer = running("POST", "flows/winback/resume", body)
    assert (status, [item["where"] for item in answer["error"]["details"]]) == (422, ["policy"])


@pytest.mark.parametrize(
    "body",
    [
        {"customers": ["c1"]},
        {"customers": [{"email": "ada@example.com"}]},
        {"customers": [7]},
        {"customer": "c1"},
    ],
)
def test_people_are_enrolled_by_any_reference(running: Any, body: dict[str, Any]) -> None:
    answer = {"flow": "winback", "entered": 1, "not_entered": 0}
    assert running("POST", "flows/winback/enroll", body) == (200, answer)


def test_a_reference_that_is_none_is_told_by_its_place(running: Any) -> None:
    status, answer = running("POST", "flows/winback/enroll", {"customers": ["c1", None]})
    assert (status, answer["error"]["details"][0]["where"]) == (422, "customers")
    assert "entry 1 is no reference" in answer["error"]["details"][0]["problem"]


def test_the_numbers_of_a_flow_add_up_at_the_top(running: Any) -> None:
    running("POST", "flows/winback/enroll", {"customers": ["c1", "7"]})
    status, stats = running("GET", "flows/winback/stats")
    assert (status, stats["entered"], stats["planned"]) == (200, 2, 2)
    assert stats["planned"] == sum(stats[name] for name in ("sent", "skipped", "failed", "pending", "in_doubt"))
    assert stats["exits"] == {"finished": 0, "exited": 0, "stopped": 0, "failed": 0}
    assert [step["id"] for step in stats["steps"]] == ["hello", "pause", "nudge"]


def test_moving_people_to_a_new_version_is_refused_and_not_ignored(running: Any) -> None:
    status, answer = running("POST", "flows/winback/publish", {"migrate": {"hello": "hello"}})
    assert (status, answer["error"]["details"][0]["where"]) == (422, "migrate")
    assert "not available yet" in answer["error"]["details"][0]["problem"]


def test_what_the_formats_name_and_nothing_serves_is_not_called_a_typing_mistake(winback: Any) -> None:
    steps = [
        {"id": "a", "type": "staff_task", "text": "call"},
    ]
    entry = [{"date": "birth_date", "offset": "-7d", "at": "09:00"}, {"reply": {"channel": "telegram"}}]
    status, answer = winback("PUT", "flows/winback", {**FLOW, "entry": entry, "steps": steps})
    assert status == 422
    told = {item["where"]: item["problem"] for item in answer["error"]["details"]}
    assert set(told) == {"entry[0]", "entry[1]", "steps[0].type"}
    assert all("not available yet" in problem for problem in told.values())


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"sequence": [{"event": "cart_updated"}, {"not": "purchase", "for": "2h"}]}, 0),
        ({"reachable": "email"}, 0),
        ({"geo": {"near": [50.94, 6.96], "radius_km": 25, "of": "place"}}, 1),
        ({"geo": {"country": "DE", "postcode": "50"}}, 1),
        ({"bucket": "autumn", "from": 0, "to": 1}, 1),
        ({"insight": "rfm_segment", "in": ["champions"]}, 0),
        ({"message": "opened", "within": "7d"}, 0),
    ],
)
def test_every_operator_of_the_formats_is_answered(call: Any, rule: dict[str, Any], expected: int) -> None:
    Attribute.objects.create(key="place", type="geo", created_at=now())
    person = {"external_id": "c1", "country": "DE", "postcode": "50667", "attributes": {"place": [50.94, 6.95]}}
    assert call("POST", "customers/batch", {"customers": [person]})[1]["accepted"] == 1
    status, answer = call("POST", "segments/preview", {"rule": rule})
    assert (status, answer.get("count")) == (200, expected), answer


@pytest.mark.parametrize(
    ("rule", "place"),
    [({"list": "friends"}, "rule.list"), ({"tier": "gold"}, "rule.tier"), ({"points": {"gte": 1}}, "")],
)
def test_a_rule_about_what_nobody_made_yet_says_so(call: Any, rule: dict[str, Any], place: str) -> None:
    status, answer = call("POST", "segments/preview", {"rule": rule})
    if place:
        assert (status, answer["error"]["details"][0]["where"]) == (422, place)
    else:
        assert (status, answer["count"]) == (200, 0)


def test_a_rejected_customer_is_placed_like_a_rejected_event(call: Any) -> None:
    rows = [{"external_id": "c1", "email": "x"}, "text", {"external_id": "c2", "consents": [{**CONSENT, "source": ""}]}]
    status, answer = call("POST", "customers/batch", {"customers": rows})
    assert (status, answer["accepted"]) == (200, 0)
    places = [(item["index"], [problem["where"] for problem in item["problems"]]) for item in answer["rejected"]]
    assert places == [(0, ["customers[0].email"]), (1, ["customers[1]"]), (2, ["customers[2].consents[0].source"])]


def test_a_customer_is_shown_and_changed_with_consents(call: Any) -> None:
    call("POST", "customers/batch", {"customers": [{"external_id": "c1", "consents": [CONSENT]}]})
    shown = call("GET", "customers/c1")[1]["consents"]
    assert shown == [{"channel": "email", "purpose": "marketing", "status": "granted", "since": "2026-01-02T03:04:05Z"}]
    later = {**CONSENT, "status": "withdrawn", "at": "2026-02-02T03:04:05Z"}
    status, changed = call("PATCH", "customers/c1", {"city": "Rome", "consents": [later]})
    assert (status, changed["city"], changed["consents"][0]["status"]) == (200, "Rome", "withdrawn")
    status, answer = call("PATCH", "customers/c1", {"city": "Paris", "consents": [{**CONSENT, "at": None}]})
    assert (status, answer["error"]["details"][0]["where"]) == (422, "consents[0].at")
    assert call("GET", "customers/c1")[1]["city"] == "Rome"


def test_exported_data_is_structured_to_the_bottom(call: Any) -> None:
    consent = {**CONSENT, "evidence": {"ip": "192.0.2.1"}}
    row = {"external_id": "c1", "attributes": {"shoe_size": 39}, "consents": [consent]}
    call("POST", "customers/batch", {"customers": [row]})
    tables = call("GET", "customers/c1/export")[1]["tables"]
    assert tables["customer"][0]["attributes"] == {"shoe_size": 39}
    assert tables["consent_entry"][0]["evidence"] == {"ip": "192.0.2.1"}


@pytest.mark.parametrize(
    ("body", "problem"), [("{oops", "is not JSON: .* line 1, column 2"), ('{"customers": [}', "column 16")]
)
def test_a_body_that_is_no_json_is_told_where(call: Any, body: str, problem: str) -> None:
    status, answer = call("POST", "customers/batch", body)
    assert (status, answer["error"]["code"]) == (400, "bad_request")
    assert answer["error"]["details"][0]["where"] == "body"
    assert re.search(problem, answer["error"]["details"][0]["problem"])


def test_a_batch_that_is_too_large_is_told_so_by_both_doors(call: Any) -> None:
    for name in ("customers", "events"):
        status, answer = call("POST", f"{name}/batch", {name: [{}] * 5_001})
        assert (status, answer["error"]["code"], answer["error"]["details"][0]["where"]) == (413, "too_large", name)


def test_a_template_is_put_back_as_it_was_read_and_previewed_by_any_reference(winback: Any) -> None:
    status, shown = winback("GET", "templates/winback")
    assert (status, shown["version"]) == (200, 1)
    assert winback("PUT", "templates/winback", shown)[1]["verdict"] == "unchanged"
    for body in ({"customer": "c1"}, {"external_id": "c1"}, {"email": "ada@example.com"}, {"customer": 7}):
        status, rendered = winback("POST", "templates/winback/preview", body)
        assert (status, rendered["subject"], rendered["locale"]) == (200, "Hi", "en")
    status, answer = winback("PUT", "templates/winback", {**TEMPLATE, "kind": "segment", "key": "other"})
    assert (status, [item["where"] for item in answer["error"]["details"]]) == (422, ["kind", "key"])


def test_a_whole_segment_document_is_previewed(call: Any) -> None:
    document = {"kind": "segment", "key": "x", "name": {"en": "X"}, "rule": {"attribute": "country", "eq": "DE"}}
    assert call("POST", "segments/preview", document)[1]["count"] == 0


def test_a_rule_tells_of_unknown_segments_beside_its_other_mistakes(call: Any) -> None:
    rule = {"all": [{"atribute": "country", "eq": "DE"}, {"segment": "nobody"}, {"consent": "marketing"}]}
    for method, path in (("POST", "segments/preview"), ("PUT", "segments/x")):
        status, answer = call(method, path, {"rule": rule})
        assert status == 422
        assert {item["where"] for item in answer["error"]["details"]} == {
            "rule.all[0].atribute",
            "rule.all[1].segment",
            "rule.all[2].consent",
        }


def test_a_model_to_come_is_named_as_such(call: Any) -> None:
    status, answer = call("GET", "reports/attribution?goal=order&model=shapley")
    assert (status, answer["error"]["details"][0]["where"]) == (422, "model")
    assert "is not available yet" in answer["error"]["details"][0]["problem"]


def test_a_click_is_no_post() -> None:
    for path in ("/t/c/x", "/t/o/x"):
        assert Client(enforce_csrf_checks=True).post(path).status_code == 405


def test_a_segment_is_put_back_as_it_was_read(call: Any) -> None:
    call("PUT", "segments/x", {"name": {"en": "X"}, "rule": {"attribute": "country", "eq": "DE"}})
    shown = call("GET", "segments/x")[1]
    assert call("PUT", "segments/x", shown) == (200, shown)


@pytest.mark.parametrize(
    ("word", "status"), [("revoked", "withdrawn"), ("opted_out", "withdrawn"), ("opt_in", "granted")]
)
def test_the_usual_words_for_a_consent_are_understood(call: Any, word: str, status: str) -> None:
    row = {"external_id": "c1", "consents": [{**CONSENT, "status": word}]}
    assert call("POST", "customers/batch", {"customers": [row]})[1]["accepted"] == 1
    assert call("GET", "customers/c1")[1]["consents"][0]["status"] == status
