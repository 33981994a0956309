"""Pure: what the documents say: `stamp_card`, `challenge`, `badge`, and what every `game` has in common."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, field_validator, model_validator

from loyalty.events.names import fold, is_name
from loyalty.kit.periods import Period
from loyalty.program.conditions import Conditions
from loyalty.program.definition import KEY, Names, Strict
from loyalty.program.rule_definition import Times

CALENDAR = ("day", "week", "month", "year")
UNLIMITED = "unlimited"


def _event(value: Any) -> str:
    name = fold(value) if isinstance(value, str) else ""
    if not is_name(name):
        raise ValueError("is no event name: use 1 to 100 of a-z 0-9 _ . : -")
    return name


def _window(value: Any) -> Any:
    if value in (*CALENDAR, "ever"):
        return value
    try:
        period = Period.parse(value)
    except ValueError:
        period = Period(seconds=0)
    if not period.seconds:
        raise ValueError(f"{value!r} is no time: write day, week, month, year, ever, or for example 30d")
    return str(period)


def _length(value: Any) -> Any:
    period = Period.parse(value)
    if not (period.seconds or period.months or period.days):
        raise ValueError("is no time at all")
    return str(period)


def _image(value: Any) -> Any:
    if isinstance(value, str) and not value.startswith(("https://", "/")):
        raise ValueError("is no address: it begins with https:// or /")
    return value


def plain(model: BaseModel) -> dict[str, Any]:
    """A document as it is stored and shown: without what has its usual value, numbers as people write them."""
    shown = {}
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if field.is_required() or value != field.get_default(call_default_factory=True):
            shown[field.alias or name] = _plain(value)
    return shown


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return plain(value)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, date) else value


EventName = Annotated[str, BeforeValidator(_event)]
Window = Annotated[str, BeforeValidator(_window)]
Length = Annotated[str, BeforeValidator(_length)]
Key = Annotated[str, Field(pattern=f"^{KEY.pattern}$")]
Property = Annotated[str, Field(min_length=1, max_length=100)]
Amount = Annotated[Decimal, Field(gt=0, le=1_000_000_000, max_digits=14, decimal_places=2)]
Often = Annotated[int, Field(ge=1, le=1_000_000)] | Literal["unlimited"]
Prizes = Annotated[list[dict[str, Any]], Field(max_length=20)]


class Audience(Strict):
    """Who takes part: people in one of the segments, and with one of the tiers, where they are given."""

    segments: list[str] = []
    tiers: list[str] = []


class Shown(Strict):
    """What everything has that people see. Days are those of the program's time zone; `to` is the last one."""

    key: Key
    program: str | None = None
    state: Literal["active", "paused"] = "active"
    name: Names = {}
    description: Names = {}
    image: Annotated[str | None, BeforeValidator(_image)] = None


class Timed(Shown):
    """What has a beginning, an end and an audience."""

    start: Annotated[date | None, Field(alias="from")] = None
    end: Annotated[date | None, Field(alias="to")] = None
    audience: Audience = Audience()

    @model_validator(mode="after")
    def _order(self) -> "Timed":
        if self.start and self.end and self.start > self.end:
            raise ValueError("'from' is after 'to': swap them")
        return self


class Each(Strict):
    """For each full `of` of a property: `{property: amount, of: 10}` is one for every 10 of the amount."""

    property: Property
    of: Amount = Decimal(1)


class Source(Strict):
    """An event that gives `count` stamps or plays, at most so many in a period."""

    event: EventName
    where: Conditions = {}
    count: Annotated[int, Field(ge=1, le=1000)] = 1
    each: Each | None = None
    most: Times | None = None


class SheetExpiry(Strict):
    """Sheets are void so long after their first stamp, or after the last one."""

    after: Length
    counted_from: Annotated[Literal["first", "last"], Field(alias="from")] = "first"


class Step(Strict):
    """Prizes on the way to a full sheet."""

    at: Annotated[int, Field(ge=1)]
    prizes: Annotated[Prizes, Field(min_length=1)]


class StampCardDocument(Timed):
    """So many stamps (`size`) for the prizes."""

    kind: Literal["stamp_card"] = "stamp_card"
    size: Annotated[int, Field(ge=2, le=100)]
    earn: Annotated[list[Source], Field(max_length=20)] = []
    birthday: Annotated[int, Field(ge=0, le=100)] = 0
    expires: SheetExpiry | None = None
    times: Often = "unlimited"
    steps: Annotated[list[Step], Field(max_length=20)] = []
    prizes: Annotated[Prizes, Field(min_length=1)]

    @model_validator(mode="after")
    def _steps(self) -> "StampCardDocument":
        at = [step.at for step in self.steps]
        if any(one >= self.size for one in at):
            raise ValueError(f"steps: they come before the sheet is full, at 1 to {self.size - 1}")
        if len(set(at)) < len(at):
            raise ValueError("steps: two of them are at the same stamp")
        return self

    def stages(self) -> list[tuple[int, dict[str, Any]]]:
        """All prizes as (stamps, prize), the place of each being its place in the list."""
        steps = sorted(self.steps, key=lambda step: step.at)
        found = [(step.at, prize) for step in steps for prize in step.prizes]
        return found + [(self.size, prize) for prize in self.prizes]


class Measure(Strict):
    """What is added up: events (`count`), a property (`sum`), its different values (`distinct`), or `days`."""

    count: bool = False
    sum: Property | None = None
    distinct: Property | None = None
    days: bool = False

    @model_validator(mode="after")
    def _one(self) -> "Measure":
        if sum(map(bool, (self.count, self.sum, self.distinct, self.days))) != 1:
            raise ValueError("is one of count, days, {sum: property}, {distinct: property}")
        return self


def _measure(value: Any) -> Any:
    return {value: True} if value in ("count", "days") else value


class Streak(Strict):
    """The target in so many periods in a row."""

    every: Literal["day", "week", "month"]
    times: Annotated[int, Field(ge=2, le=1000)]


class Personal(Strict):
    """A target out of the person's own past: what was reached `over` that time, scaled to the challenge's window, times
    `factor`, in steps of `round`, between `min` and `max`."""

    over: Annotated[str, BeforeValidator(_window)] = "90d"
    factor: Annotated[Decimal, Field(gt=0, le=100)] = Decimal("1.2")
    round: Amount = Decimal(1)
    min: Amount = Decimal(1)
    max: Amount | None = None

    @field_validator("over")
    @classmethod
    def _elapsed(cls, value: str) -> str:
        if value in (*CALENDAR, "ever"):
            raise ValueError("is no time: write for example 90d")
        return value

    @model_validator(mode="after")
    def _order(self) -> "Personal":
        if self.max is not None and self.max < self.min:
            raise ValueError("max is less than min: swap them")
        return self

    @property
    def seconds(self) -> int:
        return Period.parse(self.over).seconds or 0


class ChallengeDocument(Timed):
    """Something to reach: `target` of a measure over events, within a window or in periods in a row.

    `join: explicit` is for those who take it up (or whom a flow starts); otherwise the first event that counts begins
    it. `times` is how often a person can do it; one with a calendar window comes once in each. Challenges of one
    `rotate` group take turns: each is up in every n-th window only.
    """

    kind: Literal["challenge"] = "challenge"
    event: EventName
    where: Conditions = {}
    measure: Annotated[Measure, BeforeValidator(_measure)] = Measure(count=True)
    target: Amount | None = None
    personal: Personal | None = None
    window: Window = "ever"
    streak: Streak | None = None
    join: Literal["automatic", "explicit"] = "automatic"
    times: Often = 1
    hidden: bool = False
    rotate: Key | None = None
    prizes: Prizes = []

    @model_validator(mode="after")
    def _turns(self) -> "ChallengeDocument":
        if self.rotate is not None and self.window not in ("day", "week", "month"):
            raise ValueError("rotate: turns are as long as the window, which has to be day, week or month")
        return self

    @model_validator(mode="after")
    def _goal(self) -> "ChallengeDocument":
        if self.streak is not None:
            if self.personal is not None:
                raise ValueError("personal: a streak has the same target for everybody")
            if self.window != "ever":
                raise ValueError("window: a streak has none; its periods are counted one after the other")
        elif (self.target is None) == (self.personal is None):
            raise ValueError("target: say either target or personal")
        return self

    @property
    def calendar(self) -> bool:
        return self.window in CALENDAR

    @property
    def window_seconds(self) -> int | None:
        """The length of an elapsed window; None for the others."""
        return None if self.calendar or self.window == "ever" else Period.parse(self.window).seconds

    @property
    def most(self) -> int | None:
        return None if self.times == UNLIMITED else int(self.times)

    @property
    def goal(self) -> Decimal | None:
        """What an attempt counts toward; None where it is the person's own."""
        if self.streak is not None:
            return Decimal(self.streak.times)
        return self.target


class Level(Strict):
    """A level of a badge: from so many times on."""

    key: Key
    at: Annotated[int, Field(ge=1, le=1_000_000)]
    name: Names = {}


class BadgeDocument(Shown):
    """Something to be proud of; `levels` (bronze, silver, gold) for who wins it again and again."""

    kind: Literal["badge"] = "badge"
    levels: Annotated[list[Level], Field(max_length=10)] = []

    @model_validator(mode="after")
    def _levels(self) -> "BadgeDocument":
        if len({one.key for one in self.levels}) < len(self.levels):
            raise ValueError("levels: two of them have the same key")
        at = [one.at for one in self.levels]
        if at != sorted(set(at)):
            raise ValueError("levels: each needs more times than the one before")
        return self


class LeaderboardDocument(Timed):
    """Who has the most of a measure in each `window`; `size` of them are shown, under nicknames."""

    kind: Literal["leaderboard"] = "leaderboard"
    event: EventName
    where: Conditions = {}
    measure: Annotated[Measure, BeforeValidator(_measure)] = Measure(count=True)
    window: Literal["day", "week", "month", "year", "ever"] = "month"
    size: Annotated[int, Field(ge=3, le=100)] = 10
