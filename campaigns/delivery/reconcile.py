"""The outbox against the log of the mail sink: what really arrived."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from campaigns.channels.mime import number_of
from campaigns.delivery.models import State
from loyalty.kit.sql import fetch, sql

LOG = "log.jsonl"
BATCH = 20_000
# What a message may be whose mail arrived: under way, sent, or in doubt.
_ARRIVED = {State.STARTED, State.SENT, State.IN_DOUBT}


def received(sink_log: Path) -> Counter[int]:
    """How often each of our messages arrived, by message id; foreign mails are left out."""
    found: Counter[int] = Counter()
    with (sink_log / LOG if sink_log.is_dir() else sink_log).open(encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n"):
                break  # the sink is writing this one
            number = number_of(json.loads(line).get("message_id", ""))
            if number is not None:
                found[number] += 1
    return found


def reconcile(sink_log: Path) -> list[dict[str, Any]]:
    """Every difference: mails that arrived twice, that arrived though they were not sent, or were sent and never
    arrived.

    Only senders with `host: sink` are expected to arrive there, and only what a provider, not a person, called sent.
    Memory: about 100 octets per mail.
    """
    arrived = received(sink_log)
    found = [
        {"problem": "arrived more than once", "message": number, "times": times}
        for number, times in arrived.items()
        if times > 1
    ]
    for some in _batches(sorted(arrived)):
        states = dict(fetch(sql("SELECT id, state FROM message WHERE id = ANY({ids})", ids=some)))
        found += [
            {"problem": "arrived but is not sent", "message": number, "state": _name(states.get(number))}
            for number in some
            if states.get(number) not in _ARRIVED
        ]
    missing = fetch(
        sql(
            """SELECT m.id FROM message m JOIN dispatch d ON d.id = m.dispatch_id JOIN sender s ON s.id = d.sender_id
            WHERE m.state = {sent} AND s.provider = 'email_smtp' AND coalesce(s.settings->>'host', 'sink') = 'sink'
                AND NOT EXISTS (SELECT FROM message_verdict v WHERE v.message_id = m.id AND v.gate = 'resolution')
                AND m.id NOT IN (SELECT unnest({ids}::bigint[]))""",
            sent=int(State.SENT),
            ids=list(arrived),
        )
    )
    return found + [{"problem": "sent but never arrived", "message": number} for (number,) in missing]


def _name(state: int | None) -> str:
    return "unknown" if state is None else State(state).name.lower()


def _batches(numbers: Sequence[int]) -> Iterator[list[int]]:
    for first in range(0, len(numbers), BATCH):
        yield list(numbers[first : first + BATCH])
