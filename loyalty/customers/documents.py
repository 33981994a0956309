"""Attributes as text: `kind: attribute` for apply and export."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from loyalty.customers.addresses import BUILT_IN
from loyalty.customers.models import Attribute
from loyalty.customers.operations import save_attribute
from loyalty.customers.rows import ATTRIBUTE_KEY
from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problem, Problems, from_pydantic


class AttributeDocument(BaseModel):
    """A typed customer field. `choices` are keys, or keys with their names by language."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["attribute"] = "attribute"
    key: str
    type: Literal["text", "number", "money", "date", "boolean", "choice", "list", "geo"]
    name: str | dict[str, str] = Field(default_factory=dict)
    choices: list[str] | dict[str, str | dict[str, str]] | None = None
    source_class: Literal["zero", "first", "second", "third"] | None = None
    purpose: str | None = None

    @model_validator(mode="after")
    def _check(self) -> "AttributeDocument":
        if (self.type == "choice") != bool(self.choices):
            raise ValueError("a choice needs choices, and only a choice has them")
        return self


class AttributeKind:
    """Defines attributes; a learned one becomes a defined one when it is applied."""

    rank = 10

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        """Create or update the attribute; raises Problems."""
        try:
            given = AttributeDocument.model_validate(document)
        except ValidationError as error:
            raise Problems(from_pydantic(error)) from None
        problems = []
        if not ATTRIBUTE_KEY.fullmatch(given.key):
            remedy = "use letters, digits, '_', '.', '-', beginning with a letter, at most 100"
            problems.append(Problem("key", f"{given.key!r} is not a name for an attribute", remedy))
        if given.key in BUILT_IN or given.key == "external_id":
            problems.append(Problem("key", f"{given.key!r} is a built-in field", "it exists already; leave it out"))
        if problems:
            raise Problems(problems)
        before = Attribute.objects.filter(key=given.key, learned=False).first()
        old = _document(before) if before else None
        name = given.name if isinstance(given.name, dict) else {"en": given.name}
        new = Attribute(
            key=given.key,
            type=given.type,
            name=name,
            choices=given.choices,
            source_class=given.source_class,
            purpose=given.purpose,
        )
        after = _document(new)
        if old == after:
            return Change("attribute", given.key, "unchanged", old, after)
        save_attribute(new, now=now)
        return Change("attribute", given.key, "updated" if old else "created", old, after)

    def export(self) -> Iterable[dict[str, Any]]:
        """The defined attributes; learned ones are no decision of anybody's."""
        for attribute in Attribute.objects.filter(learned=False).order_by("key"):
            yield _document(attribute)


def _document(attribute: Attribute) -> dict[str, Any]:
    whole = {
        "kind": "attribute",
        "key": attribute.key,
        "type": attribute.type,
        "name": attribute.name,
        "choices": attribute.choices,
        "source_class": attribute.source_class,
        "purpose": attribute.purpose,
    }
    return {name: value for name, value in whole.items() if value not in (None, {})}


kinds.add("attribute", AttributeKind())
