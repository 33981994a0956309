"""A person's timeline in words: filters in the API and the admin, sentences, who may look."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from loyalty.access.operations import create_api_key
from loyalty.events import facts, operations, queries, websites, wording
from loyalty.events.models import Website
from loyalty.events.names import FACTS
from loyalty.events.wording import Subject, words
from loyalty.kit.sql import sql

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(people: dict[str, int], now: datetime) -> int:
    """What happened to c1, oldest first: a purchase, a mail and an SMS sent, the mail's link clicked, a page viewed."""
    c1 = people["c1"]
    day = timedelta(days=1)

    def event(name: str, age: timedelta, **properties: Any) -> None:
        operations.intake(
            events=[{"customer": "c1", "name": name, "occurred_at": (now - age).isoformat(), "properties": properties}],
            now=now,
        )

    def fact(name: str, age: timedelta, ref: int, properties: str | None) -> None:
        rows = "SELECT {c}::bigint, {at}::timestamptz, {ref}::bigint, {properties}::jsonb"
        facts.write(name, sql(rows, c=c1, at=now - age, ref=ref, properties=properties))

    event("purchase", 6 * day, amount=39.9, currency="EUR", note="100%_sure\\")
    fact("message.sent", 5 * day, 8, '{"step": "hello", "channel": "email"}')
    fact("message.sent", 4 * day, 16, '{"step": "nudge", "channel": "sms"}')
    fact("message.clicked", 3 * day, 8, '{"url": "https://shop.example/tea"}')
    event("page_viewed", 2 * day, title="Tea", url="https://shop.example/tea")
    return c1


def names(customer_id: int, **filters: Any) -> list[str]:
    return [event.name for event in queries.timeline(customer_id, **filters).events]


def test_a_channel_finds_messages_and_what_became_of_them(story: int) -> None:
    assert names(story, channel="email") == ["message.clicked", "message.sent"]
    assert names(story, channel="sms") == ["message.sent"]
    assert names(story, channel="letter") == []


def test_text_is_looked_for_in_names_and_properties(story: int) -> None:
    assert names(story, text="TEA") == ["page_viewed", "message.clicked"]
    assert names(story, text="purch") == ["purchase"]
    assert names(story, text="100%_") == ["purchase"]
    assert names(story, text="1000") == []
    assert names(story, text="sure\\") == ["purchase"]


def test_no_names_at_all_are_nothing(story: int) -> None:
    assert names(story, names=[]) == []
    assert len(names(story)) == 5


def test_the_api_filters_and_pages(client: Client, story: int, now: datetime) -> None:
    key = create_api_key(name="t", scopes=["events:read", "events:write"], now=now).secret
    headers = {"authorization": f"Bearer {key}"}

    def asked(query: str) -> dict[str, Any]:
        answer = client.get(f"/api/v1/customers/c1/timeline?{query}", headers=headers)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def found(query: str) -> list[str]:
        return [event["name"] for event in asked(query)["events"]]

    assert found("group=message") == ["message.clicked", "message.sent", "message.sent"]
    assert found("group=web&group=other") == ["page_viewed", "purchase"]
    assert found("group=message&name=message.sent&channel=sms") == ["message.sent"]
    assert found("group=web&name=purchase") == []
    assert found("text=tea&from=2026-11-19T00:00:00Z") == ["page_viewed"]
    first = asked("limit=3")
    second = asked(f"limit=3&after={first['next']}")
    assert [event["name"] for event in second["events"]] == ["message.sent", "purchase"]
    assert second["next"] is None
    assert asked(f"limit=3&cursor={first['next']}") == second
    assert client.get("/api/v1/customers/c1/timeline?group=x", headers=headers).status_code == 422


def test_types_of_events_over_the_api(client: Client, story: int, now: datetime) -> None:
    key = create_api_key(name="t", scopes=["events:read", "events:write"], now=now).secret
    headers = {"authorization": f"Bearer {key}"}
    body = {"properties": {"amount": {"type": "money", "required": True}}, "locked": True, "retention": "400d"}
    for verdict in ("created", "unchanged"):
        answer = client.put("/api/v1/event-types/purchase", body, content_type="application/json", headers=headers)
        assert (answer.status_code, answer.json()) == (200, {"verdict": verdict})
    document = {"kind": "event_type", "key": "purchase", **body}
    assert client.get("/api/v1/event-types/purchase", headers=headers).json() == document
    types = client.get("/api/v1/event-types", headers=headers).json()["event_types"]
    (purchase,) = [one for one in types if one["name"] == "purchase"]
    assert [(one["property"], one["type"], one["declared"]) for one in purchase["properties"]] == [
        ("amount", "number", True),
        ("currency", "text", False),
        ("note", "text", False),
    ]
    wrong = client.put(
        "/api/v1/event-types/purchase", {"properties": 5}, content_type="application/json", headers=headers
    )
    assert wrong.status_code == 422
    assert client.get("/api/v1/event-types/never", headers=headers).status_code == 404


@pytest.mark.parametrize("name", sorted(FACTS))
def test_every_fact_has_its_words(name: str) -> None:
    told = words(name, {})
    assert told.title != name
    assert told.sentence.endswith(".")
    assert told.group != "other"


def test_sentences_name_what_they_are_about() -> None:
    with translation.override("en"):
        assert words("segment.joined", {}).sentence == "Joined a segment."
        about = Subject("VIPs", "/x")
        assert (words("segment.joined", {}, about=about).sentence, words("segment.joined", {}, about=about).url) == (
            "Joined the segment “VIPs”.",
            "/x",
        )
        sent = words("message.sent", {"step": "hello", "channel": "sms", "flow": "winback"})
        assert sent.sentence == "The message “hello” was sent by text message."
        assert sent.told == {"step", "channel"}
        assert words("message.sent", {"step": "hello"}).sentence == "A message was sent."
        assert words("purchase", {"amount": 1234.5, "currency": "EUR"}).sentence == "Bought for 1,234.5 EUR."
        assert words("points.earned", {"points": 200}).sentence == "Earned 200 points."
        assert words("points.earned", {"points": True}).sentence == "Earned points."
        assert words("purchase", {"amount": 5}, title={"en": "Order"}).sentence == "Order"
        assert words("something.else", {}).sentence == "something.else"


def test_a_purchase_reads_well_with_percent_signs() -> None:
    with translation.override("en"):
        assert words("page_viewed", {"title": "100 %(x)s off"}).sentence == "Looked at the page 100 %(x)s off."


def test_lateness_in_words() -> None:
    with translation.override("en"):
        assert [wording.late(one) for one in (0.4, 61, 3600, 90_000)] == ["0 s", "1 min", "1 h", "1 d"]


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


def test_the_whole_timeline_shows_sentences_and_filters(boss: Client, story: int) -> None:
    address = reverse("admin:events_timeline", args=[story])
    text = boss.get(address).content.decode()
    assert "Bought for 39.9 EUR." in text
    assert "The message “nudge” was sent by text message." in text
    assert "The link https://shop.example/tea was clicked." in text
    text = boss.get(address + "?group=message&channel=email").content.decode()
    assert "was clicked." in text
    assert "Bought" not in text
    assert "nudge" not in text
    assert "Nothing of this kind" in boss.get(address + "?group=consent").content.decode()
    assert boss.get(address + "?after=nonsense").status_code == 200
    assert boss.get(reverse("admin:events_timeline", args=[0])).status_code == 404


def test_a_long_timeline_asks_no_more_than_a_short_one(boss: Client, story: int, now: datetime) -> None:
    address = reverse("admin:events_timeline", args=[story])
    boss.get(address)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as captured:
            boss.get(address)
        counts.append(len(captured))
        rows = "SELECT {c}::bigint, {at}::timestamptz - make_interval(mins => n), n::bigint, NULL::jsonb"
        facts.write("segment.joined", sql(rows + " FROM generate_series(1, 90) AS n", c=story, at=now))
        facts.write("flow.entered", sql(rows + " FROM generate_series(1, 90) AS n", c=story, at=now))
        boss.get(address)
    # Names of segments and flows: one question per kind, two for flows.
    assert counts[1] - counts[0] <= 3


def test_the_pages_of_the_timeline_answer(boss: Client, story: int, now: datetime) -> None:
    website = websites.save(
        None, name="Shop", origins=["https://shop.example"], events=["page_viewed"], active=True, now=now
    )
    pages = {
        reverse("admin:events_eventtype_changelist"): "How late events come",
        reverse("admin:events_lag"): "Waiting for those who follow events",
        reverse("admin:events_retention"): "What goes when",
        reverse("admin:events_website_changelist"): "Shop",
        reverse("admin:events_website_add"): "New website",
        reverse("admin:events_website_edit", args=[website.pk]): "https://shop.example",
        reverse("admin:events_website_change", args=[website.pk]): website.key,
    }
    for address, shown in pages.items():
        answer = boss.get(address)
        assert answer.status_code == 200, address
        assert shown in answer.content.decode(), address


def test_the_pages_refuse_who_may_not_see_them(client: Client, story: int, now: datetime) -> None:
    website = websites.save(None, name="Shop", origins=["https://shop.example"], events=[], active=True, now=now)
    user = User.objects.create_user("staff", is_staff=True)
    client.force_login(user)
    pages = [
        reverse("admin:events_lag"),
        reverse("admin:events_retention"),
        reverse("admin:events_timeline", args=[story]),
        reverse("admin:events_website_changelist"),
        reverse("admin:events_website_add"),
        reverse("admin:events_website_edit", args=[website.pk]),
    ]
    assert [client.get(one).status_code for one in pages] == [403] * len(pages)
    user.user_permissions.add(Permission.objects.get(codename="view_website"))
    shown = client.get(reverse("admin:events_website_change", args=[website.pk])).content.decode()
    assert website.key in shown
    assert websites.secret_of(website) not in shown


def test_a_website_is_made_and_mistakes_are_told(boss: Client) -> None:
    address = reverse("admin:events_website_add")
    wrong = boss.post(address, {"name": "Shop", "origins": "shop.example", "events": "page_viewed", "active": "on"})
    assert "is no origin" in wrong.content.decode()
    made = boss.post(
        address, {"name": "Shop", "origins": "https://shop.example\nhttps://www.shop.example", "events": "page_viewed"}
    )
    site = Website.objects.get()
    assert made["Location"] == reverse("admin:events_website_change", args=[site.pk])
    assert (site.origins, site.events, site.active) == (
        ["https://shop.example", "https://www.shop.example"],
        ["page_viewed"],
        False,
    )
    act = reverse("admin:events_website_act", args=[site.pk, "renew"])
    secret = websites.secret_of(site)
    boss.post(act)
    assert websites.secret_of(Website.objects.get()) != secret


def test_a_type_is_locked_and_kept_by_buttons(boss: Client, story: int) -> None:
    from loyalty.events.models import EventType

    purchase = EventType.objects.get(name="purchase")
    address = reverse("admin:events_eventtype_change", args=[purchase.pk])
    assert "<code>amount</code>" in boss.get(address).content.decode()
    from loyalty.events import learning

    learning.weigh(now=purchase.first_seen_at + timedelta(days=400))
    boss.post(reverse("admin:events_eventtype_act", args=[purchase.pk, "lock"]))
    boss.post(reverse("admin:events_eventtype_act", args=[purchase.pk, "retention"]), {"retention": "2 months"})
    purchase.refresh_from_db()
    assert (purchase.locked, purchase.retention) == (True, "2 months")
    assert purchase.properties == {"amount": "number", "currency": "text", "note": "text"}
    wrong = boss.post(reverse("admin:events_eventtype_act", args=[purchase.pk, "retention"]), {"retention": "soon"})
    assert "is not a period" in wrong.content.decode()
