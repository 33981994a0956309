"""Senders as text: applied, refused with every mistake, exported to what changes nothing."""

from datetime import UTC, datetime
from typing import Any

import pytest

from campaigns.channels.models import Sender
from campaigns.channels.operations import set_sender_state
from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problems

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
pytestmark = pytest.mark.django_db
DOCUMENT: dict[str, Any] = {
    "kind": "sender", "key": "shop", "channel": "email", "provider": "smtp",
    "settings": {"host": "mail.example.com", "from_email": "shop@example.com", "password_env": "MAIL_PASSWORD"},
    "limits": {"per_second": 50},
}  # fmt: skip


def apply(document: dict[str, Any]) -> Change:
    return kinds.get("sender").apply(document, now=NOW, declared={})


def test_a_sender_is_made_changed_and_left_alone() -> None:
    assert apply(DOCUMENT).verdict == "created"
    sender = Sender.objects.get(key="shop")
    assert (sender.provider, sender.limits, sender.state) == ("email_smtp", {"per_second": 50.0}, "active")
    assert apply(DOCUMENT).verdict == "unchanged"
    assert apply({**DOCUMENT, "limits": {}}).verdict == "updated"
    exported = list(kinds.get("sender").export())
    assert [document["key"] for document in exported] == ["shop"]
    assert apply(exported[0]).verdict == "unchanged"


def test_settings_may_stand_at_the_top_and_from_be_written_as_people_do() -> None:
    document = {
        "kind": "sender",
        "key": "shop",
        "provider": "smtp",
        "host": "sink",
        "from": "My Shop <shop@example.com>",
    }
    apply(document)
    settings = Sender.objects.get(key="shop").settings
    assert settings == {"host": "sink", "from_email": "shop@example.com", "from_name": "My Shop"}


def test_every_mistake_is_told_at_once() -> None:
    wrong = {
        "kind": "sender", "key": "No Spaces", "channel": "email", "provider": "smtp", "limits": {"per_second": -1},
        "settings": {"host": "", "port": 99999, "from_email": "nobody", "password": "geheim", "typo": 1},
    }  # fmt: skip
    with pytest.raises(Problems) as caught:
        apply(wrong)
    places = {problem.where for problem in caught.value.problems}
    assert {"key", "limits.per_second", "settings.password"} <= places
    assert "geheim" not in str(caught.value)
    with pytest.raises(Problems) as caught:
        apply({**DOCUMENT, "settings": wrong["settings"]})
    places = {problem.where for problem in caught.value.problems}
    assert places == {
        "settings.password", "settings.host", "settings.port", "settings.from_email", "settings.typo",
    }  # fmt: skip
    assert not Sender.objects.exists()


@pytest.mark.parametrize(
    ("change", "where"),
    [({"provider": "pigeon"}, "provider"), ({"channel": "smoke"}, "channel"), ({"state": "asleep"}, "state")],
)
def test_unknown_words_are_refused(change: dict[str, Any], where: str) -> None:
    with pytest.raises(Problems) as caught:
        apply({**DOCUMENT, **change})
    assert where in {problem.where for problem in caught.value.problems}


def test_a_sender_can_be_paused_and_a_document_without_state_leaves_it() -> None:
    apply(DOCUMENT)
    assert set_sender_state(key="shop", state="paused", now=NOW)
    assert not set_sender_state(key="shop", state="paused", now=NOW)
    assert apply(DOCUMENT).verdict == "unchanged" or Sender.objects.get(key="shop").state == "paused"
    assert Sender.objects.get(key="shop").state == "paused"
