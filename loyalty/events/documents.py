"""Types of events as text: `kind: event_type` for apply and export."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from loyalty.events.catalog import Definition, define, document_of
from loyalty.events.models import EventType
from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problems, from_pydantic


class EventTypeDocument(BaseModel):
    """A type of event: `key` is the name that events carry, `name` what people call it, in one or several languages."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["event_type"] = "event_type"
    key: str
    name: str | dict[str, str] = Field(default_factory=dict)
    description: str | dict[str, str] = Field(default_factory=dict)
    properties: dict[str, Any] = Field(default_factory=dict)
    locked: bool = False
    retention: str | None = None


class EventTypeKind:
    """Catalogs of events; the types that were only learned are nobody's decision and not exported."""

    rank = 10

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        """Define the type; raises Problems."""
        try:
            given = EventTypeDocument.model_validate(document)
        except ValidationError as error:
            raise Problems(from_pydantic(error)) from None
        return define(
            Definition(
                key=given.key,
                name=_localized(given.name),
                description=_localized(given.description),
                properties=given.properties,
                locked=given.locked,
                retention=given.retention,
            ),
            now=now,
        )

    def export(self) -> Iterable[dict[str, Any]]:
        """The defined types by name."""
        for event_type in EventType.objects.filter(defined=True).order_by("name"):
            yield document_of(event_type)


def _localized(text: str | dict[str, str]) -> dict[str, str]:
    if isinstance(text, dict):
        return text
    return {"en": text} if text else {}


kinds.add("event_type", EventTypeKind())
