"""Websites: the script, what pages may send, and that nobody becomes somebody by saying so."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from loyalty.customers.operations import upsert_customers
from loyalty.customers.queries import resolve
from loyalty.events import views, websites
from loyalty.events.models import Website
from loyalty.events.visitors import link_token, signed_by_shop
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch

pytestmark = pytest.mark.django_db

ORIGIN = "https://shop.example"
VISITOR = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def site(db: None) -> Website:
    cache.clear()
    return websites.save(
        None, name="Shop", origins=["https://Shop.example/"], events=list(websites.USUAL_EVENTS), active=True, now=now()
    )


def send(client: Client, site: Website | None = None, *, origin: str = ORIGIN, body: Any = None, **fields: Any) -> Any:
    whole = body if body is not None else json.dumps({"k": site.key if site else "none", "a": VISITOR, **fields})
    return client.post("/t/e", whole, content_type="text/plain", headers={"origin": origin} if origin else {})


def token(site: Website, external_id: str) -> str:
    return signed_by_shop(external_id, secret=websites.secret_of(site), expires=now() + timedelta(hours=1))


def stored() -> list[tuple[Any, ...]]:
    return fetch(
        "SELECT t.name, e.properties->>'url', coalesce(c.external_id, i.value) FROM event e"
        " JOIN event_type t ON t.id = e.type_id JOIN customer c ON c.id = e.customer_id"
        " LEFT JOIN customer_identity i ON i.customer_id = c.id ORDER BY e.occurred_at, e.id"
    )


def test_the_script_is_small_cached_and_open_to_other_origins(client: Client) -> None:
    answer = client.get("/t.js")
    assert answer.status_code == 200
    assert len(answer.content) < 3000
    assert answer["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Cache-Control"] == "public, max-age=3600"
    assert client.get("/t.js", headers={"if-none-match": answer["ETag"]}).status_code == 304
    assert client.post("/t.js").status_code == 405


def test_a_page_sends_what_happened(client: Client, site: Website) -> None:
    events = [
        {"i": "a1", "n": "page_viewed", "d": 5000, "p": {"url": "https://shop.example/tea"}},
        {"i": "a2", "n": "cart_updated", "d": 10, "p": {"amount": 39.9}},
    ]
    answer = send(client, site, e=events)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (answer["Access-Control-Allow-Origin"], answer["Cache-Control"]) == (ORIGIN, "no-store")
    assert "Origin" in answer["Vary"]
    assert not answer.cookies
    assert stored() == [
        ("page_viewed", "https://shop.example/tea", f"web.{VISITOR}"),
        ("cart_updated", None, f"web.{VISITOR}"),
    ]
    assert fetch("SELECT round(extract(epoch FROM received_at - occurred_at), 2)::text FROM event ORDER BY 1") == [
        ("0.01",),
        ("5.00",),
    ]
    assert send(client, site, e=events).status_code == 204  # a beacon that was sent twice
    assert len(stored()) == 2


@pytest.mark.parametrize(("delay", "seconds"), [(-5000, 0), (10**15, 86_400), ("x", 0), (None, 0), (True, 0.001)])
def test_the_browsers_clock_is_not_believed(client: Client, site: Website, delay: Any, seconds: float) -> None:
    assert send(client, site, e=[{"n": "page_viewed", "d": delay}]).status_code == 204
    assert fetch("SELECT extract(epoch FROM received_at - occurred_at)::float8 FROM event") == [(seconds,)]


def test_only_known_sites_from_their_own_origins_may_send(client: Client, site: Website) -> None:
    event = {"n": "page_viewed"}
    assert send(client, None, e=[event]).status_code == 404
    for origin in ("https://evil.example", "http://shop.example", "https://shop.example.evil.example", "null", ""):
        answer = send(client, site, origin=origin, e=[event])
        assert answer.status_code == 403
        assert "Access-Control-Allow-Origin" not in answer
    Website.objects.update(active=False)
    assert send(client, site, e=[event]).status_code == 404
    assert client.get("/t/e").status_code == 405
    assert stored() == []


def test_who_asks_for_privacy_is_not_followed(client: Client, site: Website) -> None:
    body = json.dumps({"k": site.key, "a": VISITOR, "e": [{"n": "page_viewed"}]})
    headers = {"origin": ORIGIN, "sec-gpc": "1"}
    assert client.post("/t/e", body, content_type="text/plain", headers=headers).status_code == 204
    assert stored() == []


def test_only_allowed_events_are_taken(client: Client, site: Website) -> None:
    answer = send(client, site, e=[{"n": "purchase"}, {"n": "message.sent"}, {"n": "PAGE_viewed"}, 5, {}])
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 1
    assert [one["index"] for one in answer.json()["rejected"]] == [0, 1, 3, 4]
    assert answer.json()["rejected"][0]["problems"][0]["where"] == "e[0].n"
    assert [name for name, *_ in stored()] == ["page_viewed"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("[]", 400),
        (b"\xff\xfe", 400),
        ("[" * 5000, 400),
        ('{"k": 5}', 404),
        ('{"a": "x"}', 404),
        ("x" * 16_385, 413),
    ],
)
def test_what_is_malformed_is_refused(client: Client, site: Website, body: Any, status: int) -> None:
    assert send(client, body=body).status_code == status


@pytest.mark.parametrize("fields", [{"a": "short"}, {"a": 5}, {"e": {}}, {"e": [{}] * 21}, {"t": 5}])
def test_wrong_fields_are_refused(client: Client, site: Website, fields: dict[str, Any]) -> None:
    assert send(client, site, **fields).status_code == 422
    assert stored() == []


def test_calls_are_limited(client: Client, site: Website, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "CALLS_PER_ADDRESS", 2)
    monkeypatch.setattr(views, "WINDOW_SECONDS", 10**9)
    statuses = [send(client, site, e=[]).status_code for _ in range(3)]
    assert statuses == [204, 204, 429]
    monkeypatch.setattr(views, "CALLS_PER_ADDRESS", 100)
    monkeypatch.setattr(views, "CALLS_PER_SITE", 3)
    assert [send(client, site, e=[]).status_code for _ in range(2)] == [204, 429]


def test_a_visitor_who_logs_in_keeps_the_history(client: Client, site: Website) -> None:
    send(client, site, e=[{"n": "page_viewed"}])
    upsert_customers([{"external_id": "c1", "email": "a@example.com"}], now=now(), source="api")
    answer = send(client, site, t=token(site, "c1"))
    assert (answer.status_code, answer.json()) == (200, {"accepted": 0, "rejected": [], "new": False})
    send(client, site, e=[{"n": "cart_updated"}])
    assert {who for _, _, who in stored()} == {"c1"}
    assert len(stored()) == 2
    assert resolve([{"anonymous_id": f"web.{VISITOR}"}]) == resolve(["c1"])
    assert send(client, site, t=token(site, "c1")).json()["new"] is False


def test_a_shop_may_vouch_for_somebody_we_do_not_know(client: Client, site: Website) -> None:
    assert send(client, site, t=token(site, "brand-new")).status_code == 200
    assert resolve(["brand-new"]) == resolve([{"anonymous_id": f"web.{VISITOR}"}]) != [None]


def test_a_second_person_at_the_same_browser_becomes_a_new_visitor(client: Client, site: Website) -> None:
    send(client, site, t=token(site, "c1"))
    assert send(client, site, t=token(site, "c2")).json()["new"] is True
    assert resolve([{"anonymous_id": f"web.{VISITOR}"}]) == resolve(["c1"])


def test_a_claim_without_proof_is_refused(client: Client, site: Website) -> None:
    upsert_customers([{"external_id": "c1"}], now=now(), source="api")
    other = websites.save(None, name="Blog", origins=["https://blog.example"], events=[], active=True, now=now())
    for wrong in ("c1", token(other, "c1"), token(site, "c1")[:-2], "a.b.c", "x" * 3000):
        assert send(client, site, t=wrong).status_code == 403
    old = token(site, "c1")
    websites.renew_secret(site.pk, now=now())
    assert send(client, site, t=old).status_code == 403
    assert resolve([{"anonymous_id": f"web.{VISITOR}"}]) == [None]


def test_a_link_of_ours_recognizes_its_reader(client: Client, site: Website, settings: Any) -> None:
    upsert_customers([{"email": "a@example.com"}], now=now(), source="api")
    ((customer_id,),) = fetch("SELECT id FROM customer")
    made = link_token(customer_id, now=now(), secret=settings.SECRET_KEY)
    assert send(client, site, t=made).json()["new"] is False
    assert resolve([{"anonymous_id": f"web.{VISITOR}"}]) == [customer_id]


def test_every_mistake_in_a_website_is_told() -> None:
    with pytest.raises(Problems) as refused:
        websites.save(
            None,
            name=" ",
            origins=["shop.example", "https://shop.example/path", "https://ok.example:8443"],
            events=["Not A Name", "message.sent", "ok"],
            active=True,
            now=now(),
        )
    assert [problem.where for problem in refused.value.problems] == ["name", "origins", "origins", "events", "events"]
    assert Website.objects.count() == 0
