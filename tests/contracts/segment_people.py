"""Random customers with what people really send: nulls, other types than declared, Unicode, huge and negative numbers,
and events exactly on, just before and just after the borders of windows.
"""

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from loyalty.events import partitions, types
from loyalty.kit.periods import Period
from loyalty.kit.sql import Sql, fetch
from tests.contracts import segment_contacts, segment_insights, segment_members

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ZONE = "Europe/Berlin"
BERLIN = ZoneInfo(ZONE)
TICK = timedelta(microseconds=1)

# Data and the operands of rules are drawn from the same values, so that equality happens.
WORDS = [
    "",
    "DE",
    "AT",
    "de",
    "gold",
    "Gold",
    "ö",
    "Straße",
    "a%b",
    "a_b",
    "x'y",
    'q"r',
    "\\d",
    "🎉🎉",
    "007",
    "5",
    "5.0",
]
WORDS += ["2024-02-29", "2026-11-21", "2026-11-20T23:30:00Z", "2024-02-30", "true", "null", "-3.50", "1e5", " 5", "٣"]
NUMBERS = [0, 1, -1, 5, 5.0, 50, 49.99, -3.5, 1e-7, 0.1, 999999999999999, -(10**20), 10**29]
WILD_NUMBERS = [1e300, -1e300, 10**59, 10**60]
WINDOWS = ["90s", "15m", "24h", "7d", "90d", "365d", "2w", "1 month", "3 calendar days"]
DAYS = ["2024-02-29", "2026-11-21", "2026-11-14", "2026-11-15", "1980-11-22", "1999-11-28", "2000-02-28", "2026-10-25"]
INSTANTS = ["2026-11-21T12:00:00Z", "2026-11-14T12:00:00+00:00", "2026-11-14T13:00:00.000001+01:00"]
# The hour that comes twice, the one that there is not, and the first instant after it.
INSTANTS += [
    "2026-10-25T02:30",
    "2026-03-29T02:30",
    "2026-03-29T02:59:30.5",
    "2026-03-29T03:00",
    "2026-03-29T01:00:00Z",
]
BORDERS = [
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 11, 14, 23, tzinfo=UTC),
]
NAMES = ["purchase", "page_view", "never_seen"]
ATTRIBUTES = {
    "score": "number",
    "balance": "money",
    "joined": "date",
    "vip": "boolean",
    "plan": "choice",
    "tags": "list",
    "note": "text",
    "location": "geo",
    "shop": "geo",
}
COLUMNS = ["country", "city", "email", "postcode"]
KINDS = {"number": "number", "money": "number", "date": "date", "boolean": "boolean", "choice": "text", "list": "list"}
KINDS["geo"] = "geo"


@dataclass
class Person:
    id: int
    columns: dict[str, Any]
    attributes: dict[str, Any]
    events: list[tuple[datetime, int, str, Any]] = field(default_factory=list)
    consents: dict[tuple[str, str], str] = field(default_factory=dict)
    segments: set[str] = field(default_factory=set)
    insights: dict[str, Any] = field(default_factory=dict)
    contacts: dict[str, Any] = field(default_factory=dict)
    membership: dict[str, Any] = field(default_factory=dict)


def some_value(draw: random.Random) -> Any:
    return draw.choice(
        [
            draw.choice(WORDS),
            draw.choice(NUMBERS + WILD_NUMBERS),
            draw.choice(DAYS + INSTANTS),
            draw.choice([True, False, None]),
            draw.sample(WORDS, 2) + [draw.choice(NUMBERS)],
            {"amount": draw.choice(["12.50", "x", "50", 50, None]), "currency": "EUR"},
            str(draw.choice(NUMBERS)),
        ]
    )


def some_instant(draw: random.Random) -> datetime:
    opening = Period.parse(draw.choice(WINDOWS)).subtract_from(NOW, ZONE)
    border = draw.choice([opening, NOW, draw.choice(BORDERS), NOW - timedelta(days=draw.randrange(400))])
    return border + draw.choice([timedelta(0), TICK, -TICK, timedelta(hours=1), timedelta(days=-1)])


def person(draw: random.Random, number: int) -> Person:
    fitting = {
        "score": NUMBERS,
        "balance": ["12.50", {"amount": "50", "currency": "EUR"}, *NUMBERS],
        "joined": DAYS,
        "vip": [True, False],
        "plan": WORDS,
        "tags": [[], ["gold", "DE"], [5, "ö", True]],
        "note": WORDS,
        "unheard": WORDS + NUMBERS + INSTANTS,
        "location": segment_contacts.PLACES,
        "shop": segment_contacts.PLACES + segment_contacts.NO_PLACES,
    }
    attributes = {}
    for key, values in fitting.items():
        if draw.random() < 0.75:
            attributes[key] = draw.choice(values) if draw.random() < 0.7 else some_value(draw)
    columns = {name: draw.choice([None, *WORDS[1:]]) if draw.random() < 0.9 else None for name in COLUMNS}
    columns["birth_date"] = date.fromisoformat(draw.choice(DAYS)) if draw.random() < 0.8 else None
    found = Person(number, columns, attributes)
    for _ in range(draw.choice([0, 0, 1, 2, 3, 8])):
        properties: Any = {key: some_value(draw) for key in ("amount", "category", "at") if draw.random() < 0.8}
        if "amount" in properties and draw.random() < 0.6:
            properties["amount"] = draw.choice(NUMBERS)
        found.events.append((some_instant(draw), 0, draw.choice(NAMES[:2]), draw.choice([properties] * 5 + [None])))
    for channel in ("email", "sms"):
        for purpose in ("marketing", "tracking", "service"):
            if draw.random() < 0.6:
                found.consents[channel, purpose] = draw.choice(["granted", "withdrawn"])
    found.insights = segment_insights.drawn(draw)
    found.contacts = segment_contacts.drawn(draw, some_instant)
    found.membership = segment_members.drawn(draw)
    found.segments = {key for key in ("inner", "empty") if key == "inner" and draw.random() < 0.5}
    return found


def stored(people: list[Person]) -> dict[int, Person]:
    """Write the people straight into the tables; the same by id."""
    first = fetch(Sql("SELECT coalesce(max(id), 0) FROM customer"))[0][0]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO attribute (key, type, name, choices, learned, created_at)"
            " VALUES (%s, %s, '{}', %s, false, now()) ON CONFLICT DO NOTHING",
            [(key, kind, json.dumps(WORDS) if kind == "choice" else None) for key, kind in ATTRIBUTES.items()],
        )
        cursor.execute(
            "INSERT INTO segment (key, name, rule, digest, ahead, built_at)"
            " SELECT key, '{}', '{\"all\": []}', '', false, now() FROM unnest(ARRAY['inner', 'empty']) key"
        )
        moments = [moment for one in people for moment, *_ in one.events]
        moments += [at for one in people for _, facts in one.contacts["messages"] for _, at in facts]
        partitions.ensure(min(moments), max(moments))
        ids = types.type_ids(NAMES[:2])
        for number, one in enumerate(people, first + 1):
            one.id = number
            columns = {**one.columns, "phone": one.contacts["phone"]}
            columns |= {
                f"{kind}_digest": None if columns[kind] is None else segment_contacts.digest(one, kind)
                for kind in ("email", "phone")
            }
            columns["restricted_at"] = NOW if one.contacts["restricted"] else None
            cursor.execute(
                f"INSERT INTO customer (id, {', '.join(columns)}, attributes, created_at, updated_at)"
                f" OVERRIDING SYSTEM VALUE VALUES (%s, {', '.join(['%s'] * len(columns))}, %s, now(), now())",
                [one.id, *columns.values(), json.dumps(one.attributes)],
            )
            for position, (at, _, name, properties) in enumerate(one.events):
                cursor.execute(
                    "INSERT INTO event (customer_id, type_id, occurred_at, received_at, properties)"
                    " VALUES (%s, %s, %s, now(), %s) RETURNING id",
                    [one.id, ids[name], at, None if properties is None else json.dumps(properties)],
                )
                one.events[position] = (at, cursor.fetchone()[0], name, properties)
            for (channel, purpose), status in one.consents.items():
                cursor.execute(
                    "INSERT INTO consent_state (customer_id, channel, purpose, status, since)"
                    " VALUES (%s, %s, %s, %s, now())",
                    [one.id, channel, purpose, status],
                )
            for key in one.segments:
                cursor.execute(
                    "INSERT INTO segment_member (segment_id, customer_id, since)"
                    " SELECT id, %s, now() FROM segment WHERE key = %s",
                    [one.id, key],
                )
    segment_insights.store(people)
    segment_contacts.store(people)
    segment_members.store(people)
    return {one.id: one for one in people}
