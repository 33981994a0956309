"""The doctor's look at senders and their domains."""

from typing import Any

import dns.resolver
import pytest

from campaigns.channels import diagnoses
from campaigns.channels.models import Sender

pytestmark = pytest.mark.django_db

SETTINGS = {"host": "127.0.0.1", "port": 1, "security": "none", "from_email": "shop@shop.de", "timeout": 2}


def sender(key: str, **settings: Any) -> Sender:
    return Sender.objects.create(key=key, channel="email", provider="email_smtp", settings=SETTINGS | settings)


def told(look: Any) -> list[tuple[str, str]]:
    return [(finding.level, finding.text) for finding in look()]


def test_no_sender_is_worth_a_word() -> None:
    assert told(diagnoses.look_at_senders) == [("warning", "there is no sender")]


def test_each_sender_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    Sender.objects.create(key="a", channel="email", provider="email_pigeon")
    sender("b", port=0)
    sender("c", password_env="NO_SUCH_SECRET")
    sender("d")
    assert told(diagnoses.look_at_senders) == [
        ("broken", "a: unknown provider email_pigeon"),
        ("broken", "b: port: Input should be greater than or equal to 1"),
        ("broken", "c: its password is missing"),
        ("broken", "d: its server takes no session: cannot connect: ConnectionRefusedError"),
    ]


def test_domains_without_records(monkeypatch: pytest.MonkeyPatch) -> None:
    sender("a")
    sender("b", from_email="x@shop.example")

    class Answer:
        strings = (b"v=spf1 include:x ", b"-all")

    def resolve(name: str, *_: Any, **__: Any) -> list[Answer]:
        if name.startswith("_dmarc."):
            raise dns.resolver.NXDOMAIN
        return [Answer()]

    monkeypatch.setattr(dns.resolver, "resolve", resolve)
    assert told(diagnoses.look_at_domains) == [
        ("ok", "shop.de publishes SPF"),
        ("warning", "_dmarc.shop.de publishes no DMARC"),
        ("ok", "shop.example is a name for trials, nothing to look up"),
    ]
