"""A program with a portal and a mailbox, for tests."""

import re
from datetime import timedelta
from typing import Any

from django.test import Client

from campaigns.channels.providers import email_recording
from campaigns.delivery import engine
from campaigns.delivery.ids import ENROLLMENT_SHIFT
from loyalty.kit import clock
from loyalty.kit.applying import apply_documents
from loyalty.kit.sql import fetch_values, sql
from loyalty.portal import letters
from loyalty.portal.models import EntryRequest
from loyalty.program.setup import Setup, load
from tests.db.campaigns.delivery.world import World

PORTAL: dict[str, Any] = {
    "kind": "portal",
    "key": "club",
    "program": "club",
    "name": {"en": "Coffee Club", "de": "Kaffeeclub"},
    "claim": {"en": "Every cup counts", "de": "Jede Tasse zählt"},
    "benefits": [{"en": "A free coffee on your birthday", "de": "Ein Kaffee zum Geburtstag"}],
    "offers_text": {"en": "Offers by email, please.", "de": "Angebote per E-Mail, bitte."},
    "terms_version": "2026-03",
    "email": "club@example.com",
    "accent": "#8a4b2a",
}
PROGRAM: list[dict[str, Any]] = [
    {
        "kind": "program", "key": "club", "name": {"en": "Club", "de": "Club"}, "timezone": "Europe/Berlin",
        "wallets": [{"key": "points", "name": {"en": "beans", "de": "Bohnen"}, "value": 0.01}],
    },
    {"kind": "tier", "key": "gold", "rank": 1, "threshold": 500, "name": "Gold",
     "benefits": [{"en": "Free delivery", "de": "Versand frei"}]},
    {"kind": "earning_rule", "key": "base", "type": "per_purchase", "points": 1, "name": {"en": "Every purchase"}},
]  # fmt: skip


def opened(**portal: Any) -> Setup:
    """The program, its portal, and a sender that records."""
    email_recording.forget()
    World(now=clock.now()).prepare().sender(settings={})
    apply_documents([*PROGRAM, {**PORTAL, **portal}], now=clock.now())
    return load("club")


def mailed() -> list[Any]:
    """Let the mails be written and sent; what came, in order."""
    letters.mail(now=clock.now())
    engine.run(channel="email", now=lambda: clock.now() + timedelta(seconds=1))
    return sorted(email_recording.recorded, key=lambda mail: mail.id)


def code_in(text: str) -> str:
    """The code that a mail holds."""
    found = re.search(r"\b\d{4} \d{4}\b", text)
    assert found
    return found.group()


def link_in(text: str) -> str:
    """The path of the link that a mail holds."""
    found = re.search(r"/member/in/[\w-]+", text)
    assert found
    return found.group()


def joined(client: Client, address: str = "anna@example.com", **fields: str) -> EntryRequest:
    """Fill in the form and confirm it by the code; signed in afterwards."""
    assert client.post("/member/join", {"email": address, "terms": "1", **fields}).status_code == 302
    letters.mail(now=clock.now())
    request = EntryRequest.objects.get(state="mailed")
    event = copy_of_event(request.message_id)
    assert client.post("/member/code", {"code": event["code"]}).status_code == 302
    request.refresh_from_db()
    return request


def copy_of_event(message_id: int | None) -> dict[str, Any]:
    """What the text of a single mail sees."""
    query = sql("SELECT event FROM message_context WHERE origin_id = {o}", o=(message_id or 0) >> ENROLLMENT_SHIFT)
    return dict(fetch_values(query)[0]["event"])


__all__ = ["PORTAL", "code_in", "joined", "link_in", "mailed", "opened"]
