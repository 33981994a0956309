"""What a form needs to know about each operator, read from its pydantic parameters.

A new operator needs nothing here: fields whose type is not understood are written as YAML, and names that are not known
here are shown as they are.
"""

import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from django.utils.translation import gettext_lazy as _
from pydantic import BaseModel, BeforeValidator
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.fields import FieldInfo

from campaigns.segments.comparisons import FITTING, NAMES, Comparisons, Instant, Window
from campaigns.segments.operator import operators

# How the picker calls operators, and what each asks.
TITLES: Mapping[str, tuple[Any, Any]] = {
    "attribute": (_("Field of the profile"), _("What is known about a person: country, birth date, own fields.")),
    "event": (_("Something happened"), _("How often, how much, when first or last.")),
    "sequence": (_("Things happened in order"), _("One after the other, each within its time; or something missing.")),
    "segment": (_("Member of a segment"), _("Everybody who is in another segment.")),
    "list": (_("On a list"), _("People put there by hand or by file.")),
    "consent": (_("Consent"), _("What somebody agreed to or withdrew.")),
    "reachable": (_("Reachable"), _("Address, consent and nothing that stands against it.")),
    "geo": (_("Place"), _("Near a point, in a country or by postcode.")),
    "bucket": (_("Random part"), _("A stable share of all people, for tests.")),
    "points": (_("Points"), _("Balance, or points that expire soon.")),
    "tier": (_("Tier"), _("Status in the loyalty program.")),
    "insight": (_("Insight"), _("What is computed: RFM and the like.")),
    "message": (_("Message"), _("Received, opened, clicked or converted.")),
}
FIELDS: Mapping[str, Any] = {
    "attribute": _("field"),
    "event": _("event"),
    "count": _("number of times"),
    "sum": _("sum"),
    "avg": _("average"),
    "min": _("smallest"),
    "max": _("largest"),
    "first": _("first time"),
    "last": _("latest time"),
    "days": _("different days"),
    "of": _("property"),
    "within": _("in the last"),
    "from": _("from"),
    "to": _("to"),
    "where": _("only where"),
    "segment": _("segment"),
    "list": _("list"),
    "consent": _("channel"),
    "reachable": _("channel"),
    "channel": _("channel"),
    "purpose": _("purpose"),
    "status": _("status"),
    "bucket": _("name of the draw"),
    "insight": _("insight"),
    "radius_km": _("radius in km"),
    "near": _("near (latitude, longitude)"),
    "country": _("country"),
    "postcode": _("postcode begins with"),
    "flow": _("flow"),
    "step": _("step"),
    "template": _("template"),
    "campaign": _("campaign"),
    "sequence": _("steps"),
    "tier": _("tier"),
    "points": _("points"),
    "wallet": _("wallet"),
    "message": _("what happened to it"),
    "not": _("did not happen"),
    "for": _("for"),
}
COMPARISONS: Mapping[str, Any] = {
    "eq": _("is"),
    "ne": _("is not"),
    "gt": _("is more than"),
    "gte": _("is at least"),
    "lt": _("is less than"),
    "lte": _("is at most"),
    "in": _("is one of"),
    "not_in": _("is none of"),
    "contains": _("contains"),
    "starts_with": _("begins with"),
    "ends_with": _("ends with"),
    "matches": _("matches the pattern"),
    "is_set": _("is known"),
    "before": _("is before"),
    "after": _("is after"),
    "within": _("lies in the last"),
    "anniversary_within": _("has its anniversary in the next"),
}
# What a new condition begins with; any other operator begins with its own field, empty.
STARTS: Mapping[str, dict[str, Any]] = {
    "attribute": {"attribute": "country", "in": ["DE"]},
    "event": {"event": "purchase", "count": {"gte": 1}, "within": "90d"},
    "consent": {"consent": "email"},
    "reachable": {"reachable": "email"},
    "bucket": {"bucket": "test", "from": 0, "to": 0.1},
    "insight": {"insight": "rfm_segment", "in": ["champions"]},
    "geo": {"geo": {"near": [50.94, 6.96], "radius_km": 25}},
    "points": {"points": "balance", "gte": 100},
    "sequence": {"sequence": [{"event": "cart_updated", "within": "7d"}, {"not": "purchase", "for": "2h"}]},
}
ORDER = (*("event", "attribute", "segment", "list", "consent", "reachable", "message", "insight", "points", "tier"),)


def described() -> list[dict[str, Any]]:
    """Every operator for the picker and its form, those asked most first."""
    rank = {key: place for place, key in enumerate(ORDER)}
    keys = sorted(operators, key=lambda key: (rank.get(key, len(rank)), key))
    return [_operator(key, operators.get(key).parameters) for key in keys]


def comparisons() -> dict[str, Any]:
    """The comparisons by name, and which fit which kind of value."""
    return {
        "labels": {name: str(COMPARISONS.get(name, name)) for name in NAMES},
        "fitting": {kind: [name for name in NAMES if name in names] for kind, names in FITTING.items()},
    }


def _operator(key: str, parameters: type[BaseModel]) -> dict[str, Any]:
    title, help_text = TITLES.get(key, (key, ""))
    compares = issubclass(parameters, Comparisons)
    fields = [
        _field(info.alias or name, info)
        for name, info in parameters.model_fields.items()
        if not (compares and name in Comparisons.model_fields)
    ]
    for field in fields:
        # It is what the condition is recognized by, also where it has a default.
        field["required"] = field["required"] or field["name"] == key
    return {
        "key": key,
        "title": str(title),
        "help": str(help_text),
        "compares": compares,
        "fields": fields,
        "start": STARTS.get(key, {key: ""}),
        "schema": _schema(parameters),
    }


def _field(name: str, info: FieldInfo) -> dict[str, Any]:
    """One parameter: its name and label, how it is put in, and its limits."""
    kind, choices = _kind(info.annotation, info.metadata)
    limits = {limit: getattr(rule, limit) for rule in info.metadata for limit in ("ge", "le") if hasattr(rule, limit)}
    items = _items(info.annotation)
    return {
        "name": name,
        "fields": [_field(inner.alias or key, inner) for key, inner in items.model_fields.items()] if items else [],
        "label": str(FIELDS.get(name, name)),
        "kind": kind,
        "choices": choices,
        "required": info.is_required(),
        **limits,
    }


def _items(annotation: Any) -> type[BaseModel] | None:
    """The model of the items, for a list of models."""
    inside = get_args(annotation)
    if get_origin(annotation) in (list, tuple) and isinstance(inside[0], type) and issubclass(inside[0], BaseModel):
        return inside[0]
    return None


def _kind(annotation: Any, metadata: Any = ()) -> tuple[str, list[str]]:
    """How a value of that type is put in, and its choices."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        return _kind(inner, metadata)
    readers = {rule.func for rule in metadata if isinstance(rule, BeforeValidator)}
    for known, kind in ((Window, "period"), (Instant, "moment")):
        if readers & {rule.func for rule in get_args(known)[1:]}:
            return kind, []
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        meant = [one for one in inside if one is not type(None)]
        return _kind(meant[0]) if len(meant) == 1 else ("data", [])
    if _items(annotation):
        return "items", []
    if origin is Literal:
        return "choice", [str(one) for one in inside]
    if origin is dict and _kind(inside[1])[0] == "comparisons":
        return "conditions", []
    if isinstance(annotation, type):
        if issubclass(annotation, Comparisons):
            return "comparisons", []
        for plain, kind in ((bool, "truth"), (str, "text"), (int, "number"), (float, "number")):
            if annotation is plain:
                return kind, []
    return "data", []


def _schema(parameters: type[BaseModel]) -> dict[str, Any] | None:
    """JSON schema, for editors outside; None where a type has none."""
    try:
        return parameters.model_json_schema(by_alias=True)
    except PydanticInvalidForJsonSchema:
        return None
