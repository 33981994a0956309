"""Pure: what every `earning_rule` says, whatever its type: which lines, when, how much at most, what margin is left."""

from datetime import date, time
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from loyalty.program.definition import Expiry, Money, Names, Pending, Points, Strict

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Lines(Strict):
    """Which lines of a receipt: each given list must have the line's value (a label: any of its labels)."""

    sku: list[str] = []
    category: list[str] = []
    brand: list[str] = []
    label: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.sku or self.category or self.brand or self.label)


class When(Strict):
    """When a rule applies; everything that is given must hold. Times are those of the program's zone."""

    start: Annotated[date | None, Field(alias="from")] = None
    end: Annotated[date | None, Field(alias="to")] = None
    weekdays: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = []
    hours: tuple[time, time] | None = None
    stores: list[str] = []
    channels: list[str] = []
    tiers: list[str] = []
    minimum: Money | None = None

    @model_validator(mode="after")
    def _order(self) -> "When":
        if self.start and self.end and self.start > self.end:
            raise ValueError("'from' is after 'to': swap them")
        return self


class Times(Strict):
    """How often at most in a period."""

    max: Annotated[int, Field(ge=1)]
    per: Literal["day", "week", "month", "year", "ever"] = "ever"


class Caps(Strict):
    """The most points that one receipt, a person in a day, or a person ever gets from the rule."""

    receipt: Points | None = None
    day: Points | None = None
    person: Points | None = None
    times: Times | None = None


class Budget(Strict):
    """What a rule may give away in all, in points or in money (by the wallet's value of a point). A hard stop."""

    points: Points | None = None
    money: Money | None = None


class MarginFloor(Strict):
    """What of a line's margin is left when its points are paid: `percent` of its net price (gross where that is not
    known), or an `amount` for each piece. A line with less margin gets `less` points, as many as fit, or `none`.
    """

    percent: Annotated[Decimal, Field(ge=0, lt=100, max_digits=5, decimal_places=2)] | None = None
    amount: Money | None = None
    otherwise: Literal["less", "none"] = "less"

    @model_validator(mode="after")
    def _one(self) -> "MarginFloor":
        if (self.percent is None) == (self.amount is None):
            raise ValueError("give either percent or amount")
        return self


class RuleDocument(Strict):
    """What all earning rules have; `type` names the file in `earning/`, whose parameters stand beside these.

    Rules are taken in the order of `priority`, then key. Of rules with the same `exclusive` group only the first that
    gives something counts; after one with `stop` none does.
    """

    kind: Literal["earning_rule"] = "earning_rule"
    key: str
    program: str | None = None
    wallet: str | None = None
    type: str
    name: Names = {}
    state: Literal["active", "paused"] = "active"
    priority: Annotated[int, Field(ge=0, le=30_000)] = 100
    exclusive: str | None = None
    stop: bool = False
    when: When = When()
    caps: Caps = Caps()
    budget: Budget = Budget()
    round: Literal["down", "nearest", "up"] = "down"
    pending: Pending | None = None
    expiry: Expiry | Literal["never"] | None = None
    margin_floor: MarginFloor | None = None


COMMON = frozenset(RuleDocument.model_fields)
