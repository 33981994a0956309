"""What people decide about types of events: names, the schema that is enforced, how long they are kept."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from loyalty.events.models import EventProperty, EventType
from loyalty.events.names import FACTS, NAME_REMEDY, fold, is_name
from loyalty.events.schemas import Declared, Schema, proposed, read_schema, write_schema
from loyalty.events.types import type_id
from loyalty.kit.documents import Change
from loyalty.kit.periods import Period
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch_values, sql

# Shorter would take events away before segments and reports have looked at them.
SHORTEST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Definition:
    """What a document says about one type; `retention` is a period as people write it, None for no limit of its own."""

    key: str
    name: dict[str, str] = field(default_factory=dict)
    description: dict[str, str] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    locked: bool = False
    retention: str | None = None


def locked_schemas(type_ids: Iterable[int]) -> dict[int, Schema]:
    """The schemas that are enforced now among these types, by type; one query."""
    rows = fetch_values(
        sql("SELECT id, properties FROM event_type WHERE locked AND id = ANY({ids})", ids=sorted(set(type_ids)))
    )
    # jsonb keeps keys by their length; mistakes are told by name.
    return {row["id"]: dict(sorted(read_schema(row["properties"])[0].items())) for row in rows}


def define(definition: Definition, *, now: datetime) -> Change:
    """Write down what is decided about a type, which is made if no event had that name yet; raises Problems."""
    key = fold(definition.key)
    schema, problems = read_schema(definition.properties)
    if not is_name(key):
        problems.insert(0, Problem("key", f"{definition.key!r} is no event name", NAME_REMEDY))
    if key in FACTS and (schema or definition.locked):
        remedy = "leave properties and locked out; names and retention may be set"
        problems.append(Problem("locked", f"{key} is written by the system itself", remedy))
    retention, more = _read_retention(definition.retention)
    problems += more
    if definition.locked and not schema and key not in FACTS:
        problems.append(Problem("properties", "are missing, so there is nothing to lock", "declare them"))
    if problems:
        raise Problems(problems)
    with transaction.atomic():
        event_type = EventType.objects.select_for_update().get(pk=type_id(key))
        before = document_of(event_type) if event_type.defined else None
        event_type.title, event_type.description = definition.name, definition.description
        event_type.properties, event_type.locked = write_schema(schema), definition.locked
        event_type.retention, event_type.defined = retention, True
        after = document_of(event_type)
        if before == after:
            return Change("event_type", key, "unchanged", before, after)
        event_type.save(update_fields=["title", "description", "properties", "locked", "retention", "defined"])
    return Change("event_type", key, "updated" if before else "created", before, after)


def document_of(event_type: EventType) -> dict[str, Any]:
    """The type as its document, without what is not set."""
    whole = {
        "kind": "event_type",
        "key": event_type.name,
        "name": event_type.title,
        "description": event_type.description,
        "properties": event_type.properties,
        "locked": event_type.locked,
        "retention": event_type.retention,
    }
    return {name: value for name, value in whole.items() if value not in (None, {}, False)}


def lock(event_type_id: int) -> dict[str, Declared]:
    """Enforce what is declared or, where nothing is, what was learned; the schema. Raises Problems."""
    with transaction.atomic():
        event_type = EventType.objects.select_for_update().get(pk=event_type_id)
        schema = read_schema(event_type.properties)[0] or proposal(event_type)
        if event_type.name in FACTS or not schema:
            problem = "is written by the system itself" if event_type.name in FACTS else "has no properties to lock"
            raise Problems([Problem("", f"{event_type.name} {problem}", "declare some with manage.py apply")])
        event_type.properties, event_type.locked, event_type.defined = write_schema(schema), True, True
        event_type.save(update_fields=["properties", "locked", "defined"])
    return schema


def unlock(event_type_id: int) -> None:
    """Take events of this type again whatever their properties are; the schema stays written down."""
    EventType.objects.filter(pk=event_type_id).update(locked=False)


def keep_for(event_type_id: int, retention: str | None) -> str | None:
    """Keep events of this type for that long from now on (None: no limit of its own); raises Problems."""
    period, problems = _read_retention(retention or None)
    if problems:
        raise Problems(problems)
    EventType.objects.filter(pk=event_type_id).update(retention=period, defined=True)
    return period


def proposal(event_type: EventType) -> dict[str, Declared]:
    """The schema that the events seen so far suggest."""
    seen: dict[str, dict[str, int]] = {}
    rows = EventProperty.objects.filter(type_id=event_type.pk).values_list("key", "shape", "seen")
    for key, shape, count in rows:
        seen.setdefault(key, {})[shape] = count
    return proposed(seen, event_type.sampled)


def _read_retention(text: str | None) -> tuple[str | None, list[Problem]]:
    if text is None:
        return None, []
    try:
        period = Period.parse(text)
    except ValueError as error:
        return None, [Problem("retention", str(error))]
    if period.seconds is not None and period.seconds < SHORTEST.total_seconds():
        return None, [Problem("retention", f"{text!r} is shorter than a day", "keep events for at least 1d")]
    if not (period.seconds or period.months or period.days):
        return None, [Problem("retention", f"{text!r} keeps nothing", "keep events for at least 1d")]
    return str(period), []
