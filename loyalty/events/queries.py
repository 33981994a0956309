"""Reading what happened: a person's timeline, the state of the queue, the catalog in figures."""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from loyalty.events.models import Event, EventProperty, EventType
from loyalty.events.names import FACTS, fold
from loyalty.events.types import known
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, fetch, fetch_dicts, sql

PAGE = 50
LARGEST_PAGE = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One event as people see it; `ref` is set for facts of the system (see `names.FACTS`)."""

    id: int
    name: str
    occurred_at: datetime
    received_at: datetime
    ref: int | None
    properties: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """Events, newest first; `next` continues behind the last one, None at the end."""

    events: list[TimelineEvent]
    next: str | None


@dataclass(frozen=True, slots=True)
class Lag:
    """What waits for a consumer: how many events, and when the oldest of them was received (None: nothing waits)."""

    consumer: str
    waiting: int
    oldest_received_at: datetime | None


@dataclass(frozen=True, slots=True)
class TypeCount:
    """A name of the catalog with its number of events in the asked span and the last of them."""

    id: int
    name: str
    internal: bool
    first_seen_at: datetime
    events: int
    last_at: datetime | None


def timeline(
    customer_id: int,
    *,
    names: Sequence[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    channel: str = "",
    text: str = "",
    after: str | None = None,
    limit: int = PAGE,
) -> TimelinePage:
    """What happened to one customer, newest first: `since` <= occurred_at < `until`, only these names if given.

    `channel` keeps what happened on it: events that name it, and facts about messages that were sent by it. `text`
    keeps events whose name or properties contain it, in whatever case. `after` is the `next` of the page before; events
    that arrive meanwhile neither repeat nor hide others. Raises Problems for a cursor that is none of ours.
    """
    conditions = [sql("customer_id = {id}", id=customer_id)]
    if names is not None:
        conditions.append(sql("type_id = ANY({ids})", ids=list(known(fold(name) for name in names).values())))
    if channel:
        conditions.append(_on_channel(customer_id, channel))
    if text:
        conditions.append(
            sql(
                "(properties::text ILIKE {like} OR type_id IN (SELECT id FROM event_type WHERE name ILIKE {like}))",
                like="%" + re.sub(r"([\\\\%_])", r"\\\1", text) + "%",
            )
        )
    if since is not None:
        conditions.append(sql("occurred_at >= {since}", since=since))
    if until is not None:
        conditions.append(sql("occurred_at < {until}", until=until))
    if after is not None:
        at, event_id = _position(after)
        # The first condition is implied by the second, but only it lets the planner leave out later partitions.
        conditions.append(sql("occurred_at <= {at} AND (occurred_at, id) < ({at}, {id})", at=at, id=event_id))
    rows = fetch_dicts(
        sql(
            """
            SELECT e.id, t.name, e.occurred_at, e.received_at, e.ref, e.properties
            FROM (
                SELECT * FROM event WHERE {conditions} ORDER BY occurred_at DESC, id DESC LIMIT {limit}
            ) e JOIN event_type t ON t.id = e.type_id
            ORDER BY e.occurred_at DESC, e.id DESC""",
            conditions=Sql(" AND ").join(conditions),
            limit=limit + 1,
        )
    )
    # Django hands out jsonb as text.
    events = [TimelineEvent(**{**row, "properties": json.loads(row["properties"] or "{}")}) for row in rows[:limit]]
    return TimelinePage(events, _cursor(events[-1]) if len(rows) > limit else None)


def _on_channel(customer_id: int, channel: str) -> Sql:
    """Events that name the channel, and facts about the same messages (a click says no channel, its sending did)."""
    about = sorted(known(name for name, kind in FACTS.items() if kind == "message").values())
    return sql(
        """(properties @> jsonb_build_object('channel', {channel}::text) OR (type_id = ANY({about}) AND ref IN (
            SELECT s.ref FROM event s WHERE s.customer_id = {id} AND s.type_id = ANY({sent})
            AND s.properties @> jsonb_build_object('channel', {channel}::text))))""",
        channel=channel,
        about=about,
        id=customer_id,
        sent=sorted(known(("message.sent", "message.failed")).values()),
    )


def lag() -> list[Lag]:
    """Every consumer that has a subscription or waiting events, by name; the oldest is the first of the queue."""
    rows = fetch(
        """
        WITH waiting AS (SELECT consumer, count(*) AS n, min(seq) AS first FROM event_queue GROUP BY consumer)
        SELECT consumer, coalesce(n, 0), (
            SELECT min(e.received_at) FROM event_queue q
            JOIN event e ON e.customer_id = q.customer_id AND e.type_id = q.type_id
                        AND e.occurred_at = q.occurred_at AND e.id = q.event_id
            WHERE q.consumer = waiting.consumer AND q.seq = waiting.first
        )
        FROM (SELECT DISTINCT consumer FROM event_subscription) s FULL JOIN waiting USING (consumer)
        ORDER BY consumer"""
    )
    return [Lag(*row) for row in rows]


def type_counts(*, since: datetime, until: datetime) -> list[TypeCount]:
    """The whole catalog by name, each with its events in `since` <= occurred_at < `until`."""
    rows = fetch(
        sql(
            """
            SELECT t.id, t.name, t.internal, t.first_seen_at, coalesce(e.n, 0), e.last_at
            FROM event_type t LEFT JOIN (
                SELECT type_id, count(*) AS n, max(occurred_at) AS last_at FROM event
                WHERE occurred_at >= {since} AND occurred_at < {until} GROUP BY type_id
            ) e ON e.type_id = t.id
            ORDER BY t.name""",
            since=since,
            until=until,
        )
    )
    return [TypeCount(*row) for row in rows]


def _cursor(event: TimelineEvent) -> str:
    micros = (event.occurred_at - _EPOCH) // _MICROSECOND
    return base64.urlsafe_b64encode(f"{micros}.{event.id}".encode()).rstrip(b"=").decode()


def _position(cursor: str) -> tuple[datetime, int]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
        micros, event_id = (int(part) for part in text.split("."))
        if not 0 < event_id < 2**63:
            raise ValueError
        return _EPOCH + micros * _MICROSECOND, event_id
    except (ValueError, OverflowError):
        raise Problems([Problem("cursor", "is none of ours", "pass on `next` as it came, or leave it out")]) from None


def last_seen() -> dict[int, datetime]:
    """When the last event of each type happened, by id of the type: one probe per type and partition."""
    rows = fetch(
        "SELECT t.id, e.occurred_at FROM event_type t CROSS JOIN LATERAL ("
        "SELECT occurred_at FROM event WHERE type_id = t.id ORDER BY occurred_at DESC LIMIT 1) e"
    )
    return dict(rows)


def newest(type_id: int, *, limit: int = PAGE) -> list[Event]:
    """The latest events of one type, whoever they happened to."""
    return list(Event.objects.filter(type_id=type_id).order_by("-occurred_at")[:limit])


def learned_types() -> list[dict[str, Any]]:
    """Every type by name with what is known of its properties; two queries."""
    learned: dict[int, list[tuple[str, str, int]]] = {}
    for type_id, key, shape, seen in EventProperty.objects.order_by("key", "-seen", "shape").values_list(
        "type_id", "key", "shape", "seen"
    ):
        learned.setdefault(type_id, []).append((key, shape, seen))
    return [
        {
            "name": one.name,
            "internal": one.internal,
            "locked": one.locked,
            "retention": one.retention,
            "first_seen_at": one.first_seen_at,
            "sampled": one.sampled,
            "properties": [
                {"property": key, "type": shape, "seen": seen, "declared": key in one.properties}
                for key, shape, seen in learned.get(one.pk, ())
            ],
        }
        for one in EventType.objects.order_by("name")
    ]
