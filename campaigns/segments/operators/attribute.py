"""What is known about a customer: `{attribute: country, in: [DE, AT]}`."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from django.utils.translation import gettext
from pydantic import Field

from campaigns.segments import words
from campaigns.segments.comparisons import Comparisons, misfit
from campaigns.segments.operator import Context, CustomerField, Operator, Reads, operators
from campaigns.segments.values import Value, all_hold, clocked, date_value, instant_value, json_value, text_value
from loyalty.kit.problems import Problem
from loyalty.kit.sql import Sql, identifier, sql

_KINDS = {
    "text": "text",
    "choice": "text",
    "number": "number",
    "money": "number",
    "date": "date",
    "boolean": "boolean",
    "list": "list",
    "geo": "geo",
}
# Built-in columns that hold an instant rather than a day.
_INSTANTS = frozenset({"created_at", "updated_at"})
# An unknown key this near to a built-in one is a slip; any other may simply not have arrived yet.
_SLIP = 0.8


class AttributeParameters(Comparisons):
    """The attribute's key and the comparisons that must hold."""

    attribute: str = Field(min_length=1, max_length=100)


@operators.register("attribute")
class AttributeOperator(Operator):
    """A missing attribute, or one whose value is of another type, holds for `ne`, `not_in` and `is_set: false` only."""

    parameters = AttributeParameters

    def sentence(self, parameters: AttributeParameters) -> str:
        return gettext("%(attribute)s %(comparison)s") % {
            "attribute": parameters.attribute,
            "comparison": words.phrase(parameters.said()),
        }

    def condition(self, parameters: AttributeParameters, context: Context) -> Sql:
        return all_hold(_value(parameters.attribute, context), parameters.said(), context.clock)

    def value(self, parameters: AttributeParameters, context: Context) -> Sql | None:
        field = context.fields.get(parameters.attribute)
        if field is not None and field.column is not None:
            return sql("c.{column}::text", column=identifier(field.column))
        return sql("(c.attributes ->> {key}::text)", key=parameters.attribute)

    def reads(self, parameters: AttributeParameters) -> Reads:
        return Reads(clock=any(True for _ in clocked(parameters.said())))

    def check(self, parameters: AttributeParameters, fields: Mapping[str, CustomerField]) -> list[Problem]:
        field = fields.get(parameters.attribute)
        if field is None:
            return _slip(parameters.attribute, fields)
        kind = _kind(field)
        problems = []
        for name, operand in parameters.said():
            problem = misfit(name, operand, kind)
            if problem:
                problems.append(Problem(name, f"{field.key} is a {field.type}: {problem}", "correct the comparison"))
        return problems


def _kind(field: CustomerField | None) -> str:
    """How its values are read. What nobody declared, and free text, is read the way the comparison asks for."""
    if field is None:
        return "any"
    kind = _KINDS[field.type]
    if field.column is not None or kind in ("list", "geo"):
        return kind
    return "any" if kind == "text" and field.type == "text" or getattr(field, "learned", False) else kind


def _value(key: str, context: Context) -> Value:
    field = context.fields.get(key)
    kind = _kind(field)
    if field is None or field.column is None:
        return json_value(Sql("c.attributes"), key, context.clock.zone, kind=kind, indexed=True)
    column = sql("c.{column}", column=identifier(field.column))
    if field.column in _INSTANTS:
        return instant_value(column, context.clock.zone)
    return date_value(column, context.clock.zone) if kind == "date" else text_value(column)


def _slip(key: str, fields: Mapping[str, CustomerField]) -> list[Problem]:
    built_in = [field.key for field in fields.values() if field.column is not None]
    near: list[Any] = get_close_matches(key, built_in, n=1, cutoff=_SLIP)
    if not near:
        return []
    remedy = f"did you mean {near[0]!r}? If {key!r} is meant, declare it first with a document of kind attribute"
    return [Problem("attribute", f"unknown attribute {key!r}", remedy)]
