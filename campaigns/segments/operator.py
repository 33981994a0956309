"""The contract of a segment operator, and their registry.

A new operator is one file in `operators/`, named like its key. It says what its parameters are, what it reads, its
condition in SQL and itself in words; its plain-Python twin lives in `tests/contracts/test_operators.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel

from campaigns.segments.comparisons import NAMES
from campaigns.segments.values import Clock
from loyalty.kit.periods import Period
from loyalty.kit.problems import Problem
from loyalty.kit.registry import Registry
from loyalty.kit.sql import Sql, sql


class CustomerField(Protocol):
    """A field of customers as the catalog describes it; `column` is None where the value stands in `attributes`."""

    @property
    def key(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def column(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Reads:
    """What an operator's answer depends on beside the customer's own row, consents and lists.

    `windows` are (event name, length): the answer changes, with no new event, when such an event leaves its window.
    `clock`: it changes with time in some other way, so only looking at everybody again finds out.
    """

    events: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    windows: tuple[tuple[str, Period], ...] = ()
    clock: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A name in a leaf that means something outside of segments: its kind (`list`, `flow`), the key, and its place."""

    kind: str
    key: str
    where: str


@dataclass(frozen=True, slots=True)
class Context:
    """What an operator knows when its SQL is made.

    `scope` selects the `customer_id`s that matter (None: all); `fields`, `type_ids` and `segment_ids` hold what the
    rule names and exists.
    """

    clock: Clock
    scope: Sql | None = None
    fields: Mapping[str, CustomerField] = field(default_factory=dict)
    type_ids: Mapping[str, int] = field(default_factory=dict)
    segment_ids: Mapping[str, int] = field(default_factory=dict)

    def within_scope(self, column: str) -> Sql:
        """` AND column IN (scope)`, or nothing."""
        if self.scope is None:
            return Sql("")
        return sql(" AND {column} IN ({scope})", column=Sql(column), scope=self.scope)


class Operator:
    """Base of all operators, in reading order: what to declare, then what to write.

    Write: `parameters`, `sentence`, `condition`; `value` where one can be shown; `mistakes`, `reads`, `references` and
    `check` where there are any. The first field of `parameters` is named like the operator: it is what a leaf is
    recognized by.
    """

    parameters: ClassVar[type[BaseModel]]

    def sentence(self, parameters: Any) -> str:
        """The condition in words for a campaign manager, in the active language."""
        raise NotImplementedError

    def condition(self, parameters: Any, context: Context) -> Sql:
        """Boolean SQL over the customer `c`; NULL counts as no. Subqueries are uncorrelated and keep to the scope."""
        raise NotImplementedError

    def value(self, parameters: Any, context: Context) -> Sql | None:
        """SQL over the customer `c`: what the condition was judged on, as text; None when there is nothing to show."""
        return None

    def vocabulary(self, place: str) -> tuple[str, ...]:
        """The names that are possible at a place in the leaf: its own fields at the top, comparisons below."""
        return NAMES if "." in place else field_names(self.parameters)

    def mistakes(self, parameters: Any) -> list[Problem]:
        """What is wrong between the parameters, each being right by itself; places are relative to the leaf."""
        return []

    def reads(self, parameters: Any) -> Reads:
        """What the answer depends on."""
        return Reads()

    def references(self, parameters: Any) -> list[Reference]:
        """The names of things outside of segments; those that nothing has are told as mistakes."""
        return []

    def check(self, parameters: Any, fields: Mapping[str, CustomerField]) -> list[Problem]:
        """Mistakes that only the field catalog can tell; places are relative to the leaf."""
        return []


def field_names(model: type[BaseModel]) -> tuple[str, ...]:
    """The names of a model's fields as they are written in a rule."""
    return tuple(info.alias or name for name, info in model.model_fields.items())


@dataclass(frozen=True, slots=True)
class Selection:
    """Which messages a rule means: those that fit everything that is given (empty: any)."""

    flow: tuple[str, ...] = ()
    step: tuple[str, ...] = ()
    template: tuple[str, ...] = ()
    campaign: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether every message is meant."""
        return not (self.flow or self.step or self.template or self.campaign or self.channel)


# What the packages above know and rules ask for. They give it at start, for segments may not look up to them.
MessageSource = Callable[[Sql, Selection], Sql]
ConversionSource = Callable[[Selection, tuple[str, ...]], Sql]
_message_sources: list[MessageSource] = []
_conversion_sources: list[ConversionSource] = []


def provide_messages(source: MessageSource) -> None:
    """`source(id, selection)`: boolean SQL, whether the message with that id is one of the selection."""
    _message_sources[:] = [source]


def provide_conversions(source: ConversionSource) -> None:
    """`source(selection, goals)` selects `customer_id`, `occurred_at` of conversions in which such a message had a
    part.
    """
    _conversion_sources[:] = [source]


def message_source() -> MessageSource | None:
    """How to tell which messages are meant; None where nothing that sends is installed."""
    return _message_sources[0] if _message_sources else None


def conversion_source() -> ConversionSource | None:
    """How to find conversions; None where nothing credits them."""
    return _conversion_sources[0] if _conversion_sources else None


# Named by the public formats; no rule can ask for it yet.
ANNOUNCED = ("sequence", "list", "reachable", "geo", "points", "tier", "insight", "message")

operators: Registry[Operator] = Registry("operator", package="campaigns.segments.operators", announced=ANNOUNCED)
