"""Pure: goals as attribution sees them, and the SQL that finds their events."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from loyalty.kit.sql import Sql, identifier, sql

# Larger amounts are slips of a keyboard; up to here a double holds every millionth exactly, which the split relies on.
MOST_VALUE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Aim:
    """A goal made ready for SQL: ids of its event and touch types, its conditions compiled over `e.properties`."""

    goal_id: int
    key: str
    type_id: int
    touch_type_ids: tuple[int, ...]
    condition: Sql
    value_property: str | None
    window: timedelta
    digest: str


def digest(
    event: str, conditions: Mapping[str, Any], value: str | None, window_seconds: int, touches: list[str]
) -> str:
    """Changes when, and only when, the goal would count or credit differently."""
    text = json.dumps([event, conditions, value, window_seconds, sorted(touches)], sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def goal_events(aim: Aim, source: str, event_id: str, *, within: Sql) -> Sql:
    """The events of `source` that reach the goal: event_id, customer_id, occurred_at, value.

    `within` is a further condition over `e`. A value that is missing, no number or beyond MOST_VALUE counts as 0.
    """
    return sql(
        """SELECT e.{event_id} AS event_id, e.customer_id, e.occurred_at,
            coalesce(CASE WHEN abs(v.number) < {most} THEN round(v.number, 2) END, 0) AS value
        FROM {source} e CROSS JOIN LATERAL (SELECT {number} AS number) v
        WHERE e.type_id = {type} AND ({within}) AND ({condition})""",
        source=identifier(source),
        event_id=identifier(event_id),
        number=_number(aim.value_property),
        most=MOST_VALUE,
        type=aim.type_id,
        within=within,
        condition=aim.condition,
    )


def _number(name: str | None) -> Sql:
    """The property as numeric, NULL where it is none; text counts when it is written as a plain decimal number."""
    if name is None:
        return sql("NULL::numeric")
    return sql(
        """CASE WHEN jsonb_typeof(e.properties -> {name}) = 'number'
                OR e.properties ->> {name} ~ '^[+-]?[0-9]{{1,12}}([.][0-9]{{1,12}})?$'
            THEN (e.properties ->> {name})::numeric END""",
        name=name,
    )
