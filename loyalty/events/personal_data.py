"""What the timeline holds about people: to forget, to show, to merge.

Keys of events (`event_key`) stay: they are hashes of event ids, belong to nobody, and keep an event of an erased person
from coming back when it is sent again.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from loyalty.kit.erasures import (
    Held,
    Moved,
    Pairs,
    PersonalData,
    Return,
    give_back,
    hand_over,
    hold_personal_data,
)
from loyalty.kit.sql import execute, fetch_dicts, sql


def erase(customer_ids: Sequence[int]) -> int:
    """Remove these people's events, also those that wait in the queue; how many rows went."""
    ids = list(customer_ids)
    gone = execute(sql("DELETE FROM event_queue WHERE customer_id = ANY({ids})", ids=ids))
    return gone + execute(sql("DELETE FROM event WHERE customer_id = ANY({ids})", ids=ids))


def export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    """All events of the person, oldest first."""
    rows = fetch_dicts(
        sql(
            """
            SELECT t.name, e.occurred_at, e.received_at, e.ref, e.properties
            FROM event e JOIN event_type t ON t.id = e.type_id
            WHERE e.customer_id = {id} ORDER BY e.occurred_at, e.id""",
            id=customer_id,
        )
    )
    return {"event": [{**row, "properties": json.loads(row["properties"] or "null")} for row in rows]}


def merge(pairs: Pairs, now: datetime) -> Moved:
    """Hand the losers' events to the winners, also those that wait in the queue."""
    return {"event_queue": hand_over(pairs, "event_queue", "seq"), "event": hand_over(pairs, "event")}


def unmerge(given: Return) -> None:
    """The loser's events are its own again, those that still wait included."""
    give_back(given, "event_queue", "seq")
    give_back(given, "event")


TABLES = (
    Held(
        "event",
        _("What happened: purchases, visits, messages, points, in the order of time"),
        _("to choose what fits you, to answer your questions and to credit your purchases"),
        _("from our shops, our website and our messages"),
        _("offers follow what you like; your purchases earn you something"),
        _("as long as the retention of each kind of event says"),
    ),
    Held(
        "event_queue",
        _("Events of these that a campaign still has to look at"),
        _("to react to them"),
        _("copied from what happened, for seconds"),
        _("you get an answer in time"),
        _("seconds, until it was looked at"),
    ),
)

hold_personal_data(PersonalData("loyalty.events", erase, export, merge, unmerge, TABLES))
