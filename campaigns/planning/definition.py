"""Pure: goals and campaigns as people write them: shape, checks, and back to text."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from loyalty.events.names import FACTS, fold, is_name
from loyalty.kit.periods import Period

DEFAULT_WINDOW_SECONDS = 7 * 86_400
DEFAULT_TOUCHES = ("message.clicked",)
# A touch is a fact about a message; everything else names no channel that could be credited.
TOUCHES = tuple(name for name, about in FACTS.items() if about == "message")
LONGEST_WINDOW_SECONDS = 366 * 86_400
# What stays true of a past event whenever it is asked: no comparison with the clock.
COMPARISONS = frozenset(
    {"eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "contains", "starts_with", "ends_with", "matches"}
    | {"is_set", "before", "after"}
)
_KEY = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
Scalar = str | int | float | bool | date


def _key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise ValueError(f"{text!r} is no key: use up to 64 of a-z 0-9 _ . - and begin with a letter or digit")
    return text


def _name(value: object) -> object:
    return {"en": value} if isinstance(value, str) else value


def _languages(value: dict[str, str]) -> dict[str, str]:
    for language in value:
        if not _LANGUAGE.fullmatch(language):
            raise ValueError(f"{language!r} is no language: write en, de, ...")
    return value


def _event(text: str) -> str:
    name = fold(text)
    if not is_name(name):
        raise ValueError(f"{text!r} is no event name: use 1 to 100 of a-z 0-9 _ . : -")
    return name


def _window(value: object) -> int:
    seconds = Period.parse(value).seconds
    if seconds is None:
        raise ValueError(f"{value!r} has no fixed length: write an elapsed time such as 7d or 2w")
    if not 0 < seconds <= LONGEST_WINDOW_SECONDS:
        raise ValueError(f"{value!r} is out of range: a window is longer than nothing and at most 366d")
    return seconds


def _touch(text: str) -> str:
    name = fold(text)
    if name not in TOUCHES:
        raise ValueError(f"{text!r} is no touch; known: {', '.join(TOUCHES)}")
    return name


def _distinct(values: list[str]) -> list[str]:
    if not values:
        raise ValueError("name at least one touch, e.g. message.clicked")
    return list(dict.fromkeys(values))


def _conditions(value: dict[str, Any]) -> dict[str, Any]:
    for name, condition in value.items():
        for comparison in condition if isinstance(condition, Mapping) else ():
            if comparison not in COMPARISONS:
                raise ValueError(f"{name}: unknown comparison {comparison!r}; known: {', '.join(sorted(COMPARISONS))}")
        if not isinstance(condition, Mapping | list | Scalar):
            raise ValueError(f"{name}: write a value or a comparison such as {{gte: 50}}")
        if isinstance(condition, Mapping) and not condition:
            raise ValueError(f"{name}: the comparison is empty; write e.g. {{gte: 50}}")
    return {name: _plain(condition) for name, condition in value.items()}


def _plain(value: Any) -> Any:
    """As JSON can hold it: YAML reads unquoted dates as dates."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


Key = Annotated[str, AfterValidator(_key)]
Name = Annotated[dict[str, str], BeforeValidator(_name), AfterValidator(_languages)]


class CampaignDocument(BaseModel):
    """`kind: campaign`: key, name, starts_on, ends_on, description."""

    model_config = ConfigDict(extra="forbid")

    key: Key
    name: Name = {}
    starts_on: date | None = None
    ends_on: date | None = None
    description: str = ""

    @model_validator(mode="after")
    def _in_order(self) -> "CampaignDocument":
        if self.starts_on and self.ends_on and self.ends_on < self.starts_on:
            raise ValueError("ends_on lies before starts_on: swap or correct the dates")
        return self

    def as_document(self) -> dict[str, Any]:
        """The text form: dates as ISO strings, nothing that is unset."""
        document: dict[str, Any] = {"kind": "campaign", "key": self.key, "name": self.name}
        for field in ("starts_on", "ends_on"):
            if (day := getattr(self, field)) is not None:
                document[field] = day.isoformat()
        if self.description:
            document["description"] = self.description
        return document


class GoalDocument(BaseModel):
    """`kind: goal`: key, name, event, where, value (the property that holds it), window, touches."""

    model_config = ConfigDict(extra="forbid")

    key: Key
    name: Name = {}
    event: Annotated[str, AfterValidator(_event)]
    where: Annotated[dict[str, Any], AfterValidator(_conditions)] = {}
    value: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    window: Annotated[int, BeforeValidator(_window)] = DEFAULT_WINDOW_SECONDS
    touches: Annotated[list[Annotated[str, AfterValidator(_touch)]], AfterValidator(_distinct)] = list(DEFAULT_TOUCHES)

    def as_document(self) -> dict[str, Any]:
        """The text form; every field is written, so that a reader sees what applies."""
        document: dict[str, Any] = {"kind": "goal", "key": self.key, "name": self.name, "event": self.event}
        if self.where:
            document["where"] = self.where
        if self.value is not None:
            document["value"] = self.value
        return document | {"window": str(Period(seconds=self.window)), "touches": self.touches}
