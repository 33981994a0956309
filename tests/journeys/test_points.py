"""The playbooks about points, as anybody would apply them: rising to a better tier, points that expire."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from campaigns.flows import operations as flows
from loyalty.access.operations import create_api_key
from loyalty.kit import clock
from loyalty.kit.applying import apply_documents
from loyalty.kit.checks import invariants, verdict
from loyalty.kit.chores import all_chores
from loyalty.kit.document_text import read
from loyalty.kit.sql import fetch
from loyalty.local.state import REPOSITORY
from loyalty.program import movements
from loyalty.program.setup import load

pytestmark = pytest.mark.django_db(transaction=True)
PLAYBOOKS = Path(REPOSITORY, "campaigns", "gallery", "playbooks")


def playbook(name: str, port: int) -> list[dict[str, Any]]:
    """The documents of a playbook, its sender made to speak to our sink."""
    written, mistakes = read((PLAYBOOKS / f"{name}.yaml").read_bytes(), name)
    assert mistakes == []
    documents = [one.value for one in written]
    for document in documents:
        if document["kind"] == "sender":
            document["settings"] |= {"host": "127.0.0.1", "port": port}
    return documents


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


def customer(key: str, language: str) -> dict[str, Any]:
    at = (clock.now() - timedelta(days=300)).isoformat()
    return {
        "external_id": key,
        "email": f"{key}@example.com",
        "locale": language,
        "attributes": {"first_name": key.title()},
        "consents": [
            {"channel": "email", "purpose": "marketing", "status": "granted", "source": "form", "at": at},
        ],
    }


def broken() -> list[Any]:
    return [item for item in map(verdict, invariants()) if not item.holds]


def available(api: Callable[..., Any], who: str) -> int:
    found: int = api("get", f"loyalty/members/{who}/balance")["balances"][0]["available"]
    return found


def test_who_rises_is_given_points_and_told_once(api, start_sink) -> None:
    sink = start_sink()
    start = clock.now()
    api("post", "customers/batch", {"customers": [customer("anna", "de"), customer("ben", "en")]})
    apply_documents(playbook("club", sink.port) + playbook("tier_up", sink.port), now=start)
    flows.publish(key="tier_up", now=start)
    api("post", "loyalty/transactions/commit", {"id": "r1", "customer": "anna", "amount": 520})
    api("post", "loyalty/transactions/commit", {"id": "r2", "customer": "ben", "amount": 99})
    work(clock.now())
    assert (available(api, "anna"), available(api, "ben")) == (620, 99)
    assert sink.mailbox.count() == 0
    work(start + timedelta(minutes=3))
    mails = sink.mailbox.newest()
    assert [mail.subject for mail in mails] == ["Anna, willkommen bei Silver"]
    assert "620 Punkte" in sink.mailbox.read(mails[0].n).html
    entries = api("get", "loyalty/members/anna/ledger")["entries"]
    assert [(row["points"], row["reason"]) for row in entries] == [(100, "Welcome to a better tier"), (520, None)]
    # Points that a flow gives make nobody rise further, and nothing happens twice.
    work(start + timedelta(hours=1))
    assert (available(api, "anna"), sink.mailbox.count()) == (620, 1)
    titles = [event["name"] for event in api("get", "customers/anna/timeline")["events"]]
    assert titles.count("tier.changed") == 1
    assert broken() == []


def test_points_that_expire_are_announced_until_they_are_used(api, start_sink) -> None:
    sink = start_sink()
    start = clock.now()
    people = [customer(key, "en") for key in ("anna", "ben", "cara")]
    api("post", "customers/batch", {"customers": people})
    club = playbook("club", sink.port)
    # After three silent years nobody would be written to any more.
    club[0]["wallets"][0]["expiry"] = {"after": "6 months", "until": "instant"}
    apply_documents(club + playbook("points_expiry", sink.port), now=start)
    flows.publish(key="points_expiry", now=start)
    for who, amount in (("anna", 300), ("ben", 300), ("cara", 40)):
        api("post", "loyalty/transactions/commit", {"id": f"r-{who}", "customer": who, "amount": amount})
    expires = fetch("SELECT max(expires_at) FROM lot")[0][0]
    work(expires - timedelta(days=89))
    assert sink.mailbox.count() == 0
    work(expires - timedelta(days=29, hours=12))
    assert sorted(entry.rcpt[0] for entry in sink.mailbox.newest()) == ["anna@example.com", "ben@example.com"]
    assert sink.mailbox.newest()[0].subject.startswith("300 of your points expire on ")
    spend_at(expires - timedelta(days=20))
    work(expires - timedelta(days=20))
    work(expires - timedelta(days=6))
    mails = sink.mailbox.newest()
    assert (len(mails), mails[0].subject, mails[0].rcpt) == (3, "One week left for 300 points", ["ben@example.com"])
    work(expires + timedelta(minutes=1))
    assert [available(api, who) for who in ("anna", "ben", "cara")] == [0, 0, 0]
    assert broken() == []


def spend_at(at: datetime) -> None:
    """Anna pays with all she has."""
    member = fetch("SELECT m.id FROM member m JOIN customer c ON c.id = m.customer_id WHERE c.external_id = 'anna'")
    movements.spend(setup=load(), member_id=member[0][0], wallet=None, points=300, now=at)
