"""The fields that customers have: built-in ones (columns), defined ones and learned ones (keys of `attributes`)."""

from collections.abc import Iterable
from dataclasses import dataclass

from loyalty.customers.addresses import BUILT_IN
from loyalty.customers.models import Attribute
from loyalty.customers.values import PARSERS, Parser, choice
from loyalty.kit.sql import Sql, identifier, sql

# More than this are no fields of people but data in the names of fields.
LEARNED_MAX = 2_000


@dataclass(frozen=True, slots=True)
class AttributeField:
    """One field: its type, and its column when it is built in (else its value is `attributes -> key`)."""

    key: str
    type: str
    column: str | None = None
    choices: tuple[str, ...] = ()
    learned: bool = False
    source_class: str | None = None

    @property
    def parser(self) -> Parser:
        """How its values are read."""
        if self.column is not None and self.column in BUILT_IN:
            return BUILT_IN[self.column][1]
        return choice(self.choices) if self.type == "choice" else PARSERS[self.type]


def attribute_fields() -> dict[str, AttributeField]:
    """All fields by key; one query."""
    fields = {key: AttributeField(key, type_, column=key) for key, (type_, _) in BUILT_IN.items()}
    fields["external_id"] = AttributeField("external_id", "text", column="external_id")
    rows = Attribute.objects.values_list("key", "type", "choices", "learned", "source_class")
    for key, type_, choices, learned, source_class in rows:
        known = tuple(choice_keys(choices))
        fields[key] = AttributeField(key, type_, choices=known, learned=learned, source_class=source_class)
    return fields


def choice_keys(choices: object) -> Iterable[str]:
    """The keys of an attribute's choices, written as a list of keys or as {key: name}."""
    return [str(item) for item in choices] if isinstance(choices, list | dict) else []


def value_sql(field: AttributeField, customer: str = "c") -> Sql:
    """The field's value over the table alias `customer`: text, numeric, date, boolean or (list, geo) jsonb.

    Values of another type than the field's (a learned type is a guess) are NULL, no error. Money is its amount.
    """
    if field.column is not None:
        return sql("{c}.{column}", c=identifier(customer), column=identifier(field.column))
    value = sql("({c}.attributes -> {key})", c=identifier(customer), key=field.key)
    text = sql("({c}.attributes ->> {key})", c=identifier(customer), key=field.key)
    match field.type:
        case "number":
            return sql("CASE WHEN jsonb_typeof({v}) = 'number' THEN {t}::numeric END", v=value, t=text)
        case "money":
            return sql(
                "CASE jsonb_typeof({v}) WHEN 'object' THEN ({v} ->> 'amount')::numeric"
                " WHEN 'number' THEN {t}::numeric"
                " WHEN 'string' THEN CASE WHEN pg_input_is_valid({t}, 'numeric') THEN {t}::numeric END END",
                v=value,
                t=text,
            )
        case "date":
            return sql("CASE WHEN pg_input_is_valid({t}, 'date') THEN {t}::date END", t=text)
        case "boolean":
            return sql("CASE WHEN jsonb_typeof({v}) = 'boolean' THEN ({v})::boolean END", v=value)
        case "list" | "geo":
            return value
    return text
