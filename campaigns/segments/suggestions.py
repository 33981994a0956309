"""What can be suggested while a rule is written: fields and their choices, events and their properties, keys."""

from typing import Any

from campaigns.segments import references
from campaigns.segments.models import Segment
from loyalty.customers import catalog
from loyalty.customers.models import Attribute
from loyalty.events.models import EventProperty, EventType
from loyalty.insights.catalog import insights
from loyalty.kit.admin import localized

# What a list under a field holds at most; more is typed.
MOST = 2_000
_VALUES = {
    "text": "text",
    "choice": "text",
    "number": "number",
    "money": "number",
    "date": "date",
    "boolean": "boolean",
    "list": "list",
    "geo": "geo",
}
CHANNELS = ("email", "sms", "whatsapp", "telegram", "push", "letter")


def all_suggestions() -> dict[str, Any]:
    """By the name of the field that they are for; a fixed number of queries."""
    return {
        "attribute": _attributes(),
        "event": _events(),
        "segment": [
            {"key": key, "label": localized(name, key)}
            for key, name in Segment.objects.order_by("key").values_list("key", "name")[:MOST]
        ],
        "insight": [_insight(placed.insight) for placed in insights().values()],
        "consent": [{"key": channel, "label": channel} for channel in CHANNELS],
        "reachable": [{"key": channel, "label": channel} for channel in CHANNELS],
        "channel": [{"key": channel, "label": channel} for channel in CHANNELS],
        **{kind: [{"key": key, "label": key} for key in sorted(keys())[:MOST]] for kind, keys in references.known()},
    }


def _attributes() -> list[dict[str, Any]]:
    named = {
        key: (name, choices)
        for key, name, choices in Attribute.objects.order_by("key").values_list("key", "name", "choices")[:MOST]
    }
    found = []
    for field in list(catalog.attribute_fields().values())[:MOST]:
        name, choices = named.get(field.key, ({}, None))
        kind = "any" if field.learned else _VALUES.get(field.type, "any")
        found.append(
            {
                "key": field.key,
                "label": localized(name, field.key),
                "kind": kind,
                "choices": _choices(choices) if field.type == "choice" else [],
            }
        )
    return found


def _choices(choices: Any) -> list[dict[str, str]]:
    if isinstance(choices, dict):
        return [
            {"key": str(key), "label": name if isinstance(name, str) else localized(name, str(key))}
            for key, name in choices.items()
        ]
    return [{"key": str(key), "label": str(key)} for key in choices or []]


def _events() -> list[dict[str, Any]]:
    """Events by name, those from outside first, each with the properties that it was seen with."""
    properties: dict[int, dict[str, str]] = {}
    for type_id, key, shape in EventProperty.objects.order_by("type_id", "-seen", "key").values_list(
        "type_id", "key", "shape"
    )[: 10 * MOST]:
        properties.setdefault(type_id, {}).setdefault(key, shape)
    rows = EventType.objects.order_by("internal", "name").values_list("id", "name", "title", "properties")[:MOST]
    return [
        {
            "key": name,
            "label": localized(title, name),
            "properties": list(dict.fromkeys([*(declared or {}), *properties.get(type_id, {})])),
        }
        for type_id, name, title, declared in rows
    ]


def _insight(insight: Any) -> dict[str, Any]:
    return {
        "key": insight.key,
        "label": str(insight.name),
        "kind": "number" if insight.type == "number" else "choice",
        "choices": [{"key": key, "label": str(name)} for key, name in insight.choices.items()],
    }
