"""Writes of senders."""

from datetime import datetime
from typing import Any

from django.db import transaction

from campaigns.channels.definition import SenderDocument
from campaigns.channels.models import Sender
from loyalty.kit.documents import Change
from loyalty.kit.problems import Problem, Problems


def document(sender: Sender) -> dict[str, Any]:
    """The sender as people write it."""
    written: dict[str, Any] = {
        "kind": "sender",
        "key": sender.key,
        "channel": sender.channel,
        "provider": sender.provider,
        "settings": sender.settings,
    }
    if sender.limits:
        written["limits"] = sender.limits
    if sender.state != Sender.State.ACTIVE:
        written["state"] = sender.state
    return written


@transaction.atomic
def save_sender(wanted: SenderDocument, *, now: datetime) -> Change:
    """Make or change a sender; its channel stays what it was. Raises Problems. A document without `state` leaves it."""
    found = Sender.objects.select_for_update().filter(key=wanted.key).first()
    before = document(found) if found else None
    if found and found.channel != wanted.channel:
        raise Problems([Problem("channel", f"is {found.channel} since the sender was made", "make another sender")])
    sender = found or Sender(key=wanted.key, channel=wanted.channel, created_at=now)
    sender.provider = wanted.provider
    sender.settings = wanted.settings
    sender.limits = wanted.limits.model_dump(exclude_none=True)
    sender.state = wanted.state or sender.state
    after = document(sender)
    if before == after:
        return Change("sender", wanted.key, "unchanged", before, after)
    sender.updated_at = now
    sender.save()
    return Change("sender", wanted.key, "updated" if found else "created", before, after)


@transaction.atomic
def set_sender_state(*, key: str, state: str, now: datetime) -> bool:
    """Pause a sender or make it active again; whether that changed anything. Nothing starts after a pause committed."""
    return bool(Sender.objects.filter(key=key).exclude(state=state).update(state=Sender.State(state), updated_at=now))
