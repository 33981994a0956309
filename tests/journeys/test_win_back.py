"""Win a lapsing customer back: from the API to a mail in a real mailbox, a click, an order and its credit."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from campaigns.attribution import queries as attribution
from loyalty.access.operations import create_api_key
from loyalty.kit import clock
from loyalty.kit.applying import apply_documents
from loyalty.kit.checks import invariants, verdict
from loyalty.kit.chores import all_chores

pytestmark = pytest.mark.django_db(transaction=True)
READER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
BODY = (
    "<p>Hello {{ customer.first_name | default('friend') }}</p>"
    '<p><a href="https://shop.example.com/new">See what is new</a></p>'
    '<p><a href="{{ unsubscribe_url }}">Unsubscribe</a></p>'
)


def documents(port: int) -> list[dict[str, Any]]:
    return [
        {
            "kind": "sender",
            "key": "shop",
            "channel": "email",
            "provider": "smtp",
            "settings": {
                "host": "127.0.0.1",
                "port": port,
                "from_email": "hello@shop.example.com",
                "from_name": "Shop",
                "imprint": "Shop Ltd, 1 High Street, London",
            },
        },
        {
            "kind": "template",
            "key": "winback",
            "channel": "email",
            "purpose": "marketing",
            "locales": {"en": {"subject": "We missed you", "body": BODY}},
        },
        {"kind": "goal", "key": "order", "event": "purchase", "value": "amount", "window": "14d"},
        {
            "kind": "segment",
            "key": "lapsing",
            "rule": {
                "all": [
                    {"event": "purchase", "count": {"gte": 1}},
                    {"none": [{"event": "purchase", "count": {"gte": 1}, "within": "180d"}]},
                ]
            },
        },
        {
            "kind": "flow",
            "key": "winback",
            "entry": [{"segment_entered": "lapsing"}],
            "exit_on": [{"event": "purchase"}],
            "goal": "order",
            "steps": [
                {"id": "hello", "type": "send", "template": "winback"},
                {
                    "id": "clicked",
                    "type": "wait_for_event",
                    "event": "message.clicked",
                    "of": "hello",
                    "timeout": "3d",
                    "exits": {"happened": "rest", "timeout": "again"},
                },
                {"id": "again", "type": "send", "template": "winback", "next": "end"},
                {"id": "rest", "type": "wait", "for": "10d"},
            ],
        },
    ]


def work(at: datetime) -> None:
    """All chores until none has anything to do, as `tick --at --until-idle` does."""
    for _ in range(200):
        if not sum(chore.run(now=at) for chore in all_chores()):
            return
    raise AssertionError("the house does not come to rest")


@pytest.fixture
def api(client: Client) -> Callable[..., Any]:
    key = create_api_key(name="test", scopes=["*"], now=clock.now()).secret

    def call(method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = getattr(client, method)(
            f"/api/v1/{path}",
            data=body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )
        assert answer.status_code == status, answer.content
        return answer.json()

    return call


def customer(key: str, *, marketing: bool, tracking: bool) -> dict[str, Any]:
    at = (clock.now() - timedelta(days=300)).isoformat()
    granted = [purpose for purpose, yes in (("marketing", marketing), ("tracking", tracking)) if yes]
    return {
        "external_id": key,
        "email": f"{key}@example.com",
        "attributes": {"first_name": key.title()},
        "consents": [
            {"channel": "email", "purpose": purpose, "status": "granted", "source": "form", "at": at}
            for purpose in granted
        ],
    }


def bought(key: str, at: datetime, amount: float, name: str = "") -> dict[str, Any]:
    return {
        "id": f"{key}-{name or at.isoformat()}",
        "customer": key,
        "name": "purchase",
        "occurred_at": at.isoformat(),
        "properties": {"amount": amount},
    }


def test_from_a_purchase_long_ago_to_a_credited_order(api, client, start_sink) -> None:
    sink = start_sink()
    start = clock.now()
    people = [
        customer("anna", marketing=True, tracking=True),
        customer("ben", marketing=True, tracking=False),
        customer("carl", marketing=False, tracking=True),
        customer("dora", marketing=True, tracking=True),
    ]
    answer = api("post", "customers/batch", {"customers": people})
    assert (answer["accepted"], answer["rejected"]) == (4, [])
    long_ago = start - timedelta(days=200)
    events = [bought(key, long_ago, 50) for key in ("anna", "ben", "carl")] + [bought("dora", start, 20)]
    answer = api("post", "events/batch", {"events": events}, status=202)
    assert (answer["accepted"], answer["duplicates"]) == (4, 0)
    assert api("post", "events/batch", {"events": events}, status=202)["duplicates"] == 4

    apply_documents(documents(sink.port), now=start)
    api("post", "flows/winback/publish")
    work(clock.now())
    assert sink.mailbox.count() == 2
    stats = api("get", "flows/winback/stats")
    assert stats["entered"] == 3
    assert {name: n for name, n in stats["messages"].items() if n} == {"planned": 3, "sent": 2, "skipped": 1}

    mails = {entry.rcpt[0]: sink.mailbox.read(entry.n) for entry in sink.mailbox.newest()}
    assert set(mails) == {"anna@example.com", "ben@example.com"}
    anna, ben = mails["anna@example.com"], mails["ben@example.com"]
    assert "Hello Anna" in anna.html and "Hello Anna" in anna.text
    assert "Shop Ltd" in anna.text
    assert dict(anna.headers)["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    # Ben did not agree to being followed: plain links, no pixel.
    assert "https://shop.example.com/new" in ben.html
    assert "/t/" not in ben.html
    assert "https://shop.example.com/new" not in anna.html

    link = re.search(r'href="[^"]*(/t/c/[^"]+)"', anna.html)
    assert link
    clicked = client.get(link[1], headers={"User-Agent": READER})
    assert (clicked.status_code, clicked["Location"]) == (302, "https://shop.example.com/new")
    later = start + timedelta(minutes=10)
    work(later)
    names = [event["name"] for event in api("get", "customers/anna/timeline")["events"]]
    assert "message.clicked" in names
    order = bought("anna", clock.now(), 80.5, "order")
    api("post", "events/batch", {"events": [order]}, status=202)
    work(later)

    report = attribution.report(goal="order", model="last_touch", start=start, end=clock.now() + timedelta(hours=1))
    by_message = {key: (total.conversions, total.revenue) for key, total in report.messages.items()}
    assert by_message[("winback", "hello", "email")] == (Decimal(1), Decimal("80.5"))
    assert report.reconciliation.conversions_difference == 0
    assert report.reconciliation.revenue_difference == 0

    # Anna bought and is out; Ben did not click and is reminded after three days; Carl never agreed to marketing.
    work(start + timedelta(days=3, minutes=1))
    assert sorted(entry.rcpt[0] for entry in sink.mailbox.newest()) == [
        "anna@example.com",
        "ben@example.com",
        "ben@example.com",
    ]
    stats = api("get", "flows/winback/stats")
    assert (stats["active"], stats["exited"], stats["finished"]) == (0, 1, 2)
    assert [item for item in map(verdict, invariants()) if not item.holds] == []


def test_one_click_unsubscribe_holds_at_once(api, client, start_sink) -> None:
    sink = start_sink()
    start = clock.now()
    api("post", "customers/batch", {"customers": [customer("ben", marketing=True, tracking=False)]})
    api("post", "events/batch", {"events": [bought("ben", start - timedelta(days=200), 50)]}, status=202)
    apply_documents(documents(sink.port), now=start)
    api("post", "flows/winback/publish")
    work(clock.now())
    mail = sink.mailbox.read(sink.mailbox.newest()[0].n)
    target = re.search(r"<[^>]*(/u/[^>]+)>", dict(mail.headers)["List-Unsubscribe"])
    assert target
    assert client.get(target[1]).status_code == 200
    work(start + timedelta(days=3, minutes=1))
    assert sink.mailbox.count() == 2, "looking at the page changes nothing"

    stranger = Client(enforce_csrf_checks=True)
    answer = stranger.post(target[1], "List-Unsubscribe=One-Click", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 200
    passport = api("get", "customers/ben/messages")
    assert passport
    api("post", "flows/winback/stop")
    assert [item for item in map(verdict, invariants()) if not item.holds] == []
