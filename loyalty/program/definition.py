"""Pure: what the documents of a program say: `program`, `tier`, `check_in_place`; rules are in `rule_definition`."""

import re
from datetime import date, time
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_serializer, model_serializer, model_validator

from loyalty.kit.periods import Period

# German courts have voided 20 months; what ends later than the third year's end has not been attacked.
SHORTEST_MONTHS = 36
KEY = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,49}")


def _elapsed(value: Any) -> Any:
    if isinstance(value, str):
        period = Period.parse(value)
        if period.seconds is None:
            raise ValueError(f"{value!r} depends on the calendar here: write days, for example 14d")
        return str(period)
    raise ValueError("is no period: write for example 14d")


def _months(value: Any) -> Any:
    period = Period.parse(value)
    if not period.months or period.months < 0:
        raise ValueError(f"{value!r} is no number of months: write for example 36 months")
    return str(period)


Elapsed = Annotated[str, BeforeValidator(_elapsed)]
Months = Annotated[str, BeforeValidator(_months)]
Names = Annotated[dict[str, str], BeforeValidator(lambda value: {"en": value} if isinstance(value, str) else value)]
Money = Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=2)]
Points = Annotated[int, Field(gt=0, le=100_000_000)]


class Strict(BaseModel):
    """Refuses what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def plain(self) -> dict[str, Any]:
        """The document as it is stored and shown: without what has its usual value, at every depth.

        `exclude_defaults` of pydantic does nothing beside a serializer for all fields. `type` stays: it says which of
        several shapes the rest has.
        """
        shown = {}
        for name, info in type(self).model_fields.items():
            value = getattr(self, name)
            usual = not info.is_required() and name != "type" and value == info.get_default(call_default_factory=True)
            if not usual and not info.exclude:
                shown[info.alias or name] = _plain(value)
        return shown

    @field_serializer("*", mode="wrap", when_used="json")
    def _number(self, value: Any, handler: Any) -> Any:
        if isinstance(value, Decimal):
            return int(value) if value == value.to_integral_value() else float(value)
        return handler(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Strict):
        return value.plain()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, date | time) else value


class Expiry(Strict):
    """`after` months, at the end of the `until` in which that falls; `activity`: counted from the last activity."""

    after: Months = "36 months"
    until: Literal["instant", "day", "month", "quarter", "year"] = "year"
    activity: bool = False

    @property
    def months(self) -> int:
        return Period.parse(self.after).months

    @property
    def short(self) -> bool:
        """Whether it is shorter than what is usual, and safe, in Germany."""
        return self.months < SHORTEST_MONTHS or (self.months == SHORTEST_MONTHS and self.until != "year")


class Pending(Strict):
    """How long points wait before they can be used: a plain period, or until an `event` of the timeline that names
    their purchase (`transaction`), for example `delivered`. Without it `within` decides: they are released then, or
    taken back (`reverse`).
    """

    event: Annotated[str | None, Field(pattern=r"^[a-z0-9_.:-]{1,100}$")] = None
    within: Elapsed = "0s"
    then: Literal["release", "reverse"] = "release"

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, dict):
            if value and not value.get("event"):
                raise ValueError("event: is missing; for a plain waiting time write for example 14d")
            # Without anything it is made in code: no waiting.
            return {"within": "30d", **value} if value else value
        return value if isinstance(value, Pending) else {"within": _elapsed(value)}

    def plain(self) -> Any:
        """A plain period as such."""
        return super().plain() if self.event else self.within

    @model_serializer
    def _short_form(self) -> Any:
        return {"event": self.event, "within": self.within, "then": self.then} if self.event else self.within

    @property
    def seconds(self) -> int:
        return Period.parse(self.within).seconds or 0

    @property
    def lapses(self) -> bool:
        """Whether points are taken back that nothing released."""
        return self.event is not None and self.then == "reverse"


class WalletSettings(Strict):
    """One kind of points. `pending`: how long they wait before they can be used (a return window), or for which event.

    `value` is what a point is worth in money. `negative`: a return of points that are spent leaves a debt (`owe`), or
    the member keeps them (`forgive`).
    """

    key: str = Field(pattern=KEY.pattern)
    name: Names = {}
    pending: Pending = Pending()
    expiry: Expiry | Literal["never"] = Expiry()
    spendable: bool = True
    negative: Literal["owe", "forgive"] = "owe"
    value: Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=6)] = Decimal(0)
    transfer_limit: Annotated[int, Field(ge=0)] = 0

    @property
    def pending_seconds(self) -> int:
        return self.pending.seconds


class TierSettings(Strict):
    """What the tiers are measured by. `window` is a number of months or days looking back, `year` (this calendar year
    or the one before, whichever is better) or `ever`. `grace`: how long a tier lasts after the value fell.
    """

    by: Literal["points", "spend", "margin", "visits"] = "points"
    wallet: str | None = None
    window: str = "12 months"
    grace: Elapsed = "0s"
    fall: Literal["full", "step", "never"] = "full"

    @model_validator(mode="after")
    def _window(self) -> "TierSettings":
        if self.window not in ("year", "ever"):
            Period.parse(self.window)
        if self.wallet and self.by != "points":
            raise ValueError("wallet: only tiers by points have one")
        return self

    @property
    def grace_seconds(self) -> int:
        return Period.parse(self.grace).seconds or 0


class Velocity(Strict):
    """How many bookings of a kind a member may have within a time; more are looked into, or freeze the member."""

    of: Literal["purchase", "return", "void", "event", "spend", "lock", "transfer"]
    max: Annotated[int, Field(ge=1, le=100_000)]
    per: Elapsed = "1d"
    then: Literal["review", "freeze"] = "review"

    @property
    def seconds(self) -> int:
        return Period.parse(self.per).seconds or 0

    @property
    def text(self) -> str:
        return f"{self.of}: {self.max} in {self.per}"


class Households(Strict):
    """How many members share a purse, and the most that one takes of the others' points in a month."""

    size: Annotated[int, Field(ge=2, le=20)] = 6
    monthly_limit: Annotated[int, Field(ge=0)] = 10_000


class Pin(Strict):
    """What a member has to prove with the own PIN: taking more than `spend_above` points at once, handing points on.

    After `attempts` wrong ones no further is looked at for the time of `lockout`.
    """

    spend_above: Annotated[int | None, Field(ge=0, le=100_000_000)] = None
    transfer: bool = False
    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    lockout: Elapsed = "15m"

    @property
    def lockout_seconds(self) -> int:
        return Period.parse(self.lockout).seconds or 0


class Words(Strict):
    """What people call what tills and websites name by codes: `category: {"4711": {de: Bücher, en: Books}}`."""

    sku: dict[str, Names] = {}
    category: dict[str, Names] = {}
    brand: dict[str, Names] = {}
    label: dict[str, Names] = {}
    store: dict[str, Names] = {}
    channel: dict[str, Names] = {}
    event: dict[str, Names] = {}
    property: dict[str, Names] = {}


class ProgramDocument(Strict):
    """A loyalty program: its wallets, how people join, which events of the timeline are purchases.

    `protect_margin`: what all rules together give for a line never costs more than its margin, where that is known.
    """

    kind: Literal["program"] = "program"
    key: str
    name: Names = {}
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "EUR"
    timezone: str = ""
    join: Literal["automatic", "explicit"] = "automatic"
    purchase_event: str | None = "purchase"
    wallets: Annotated[list[WalletSettings], Field(min_length=1, max_length=8)] = [WalletSettings(key="points")]
    tiers: TierSettings = TierSettings()
    notices: list[Elapsed] = ["90d", "30d", "7d"]
    velocity: Annotated[list[Velocity], Field(max_length=20)] = []
    households: Households | None = None
    pin: Pin | None = None
    protect_margin: bool = False
    words: Words = Words()

    @model_validator(mode="after")
    def _whole(self) -> "ProgramDocument":
        keys = [wallet.key for wallet in self.wallets]
        if len(set(keys)) < len(keys):
            raise ValueError("wallets: two of them have the same key")
        if self.tiers.wallet and self.tiers.wallet not in keys:
            raise ValueError(f"tiers.wallet: there is no wallet {self.tiers.wallet!r}; known: {', '.join(keys)}")
        if self.timezone:
            from zoneinfo import ZoneInfo

            try:
                ZoneInfo(self.timezone)
            except (KeyError, ValueError, OSError):
                raise ValueError(f"timezone: {self.timezone!r} is no time zone such as Europe/Berlin") from None
        return self

    def wallet(self, key: str | None) -> WalletSettings | None:
        """The wallet with that key, the first one for None."""
        return next((one for one in self.wallets if key in (None, one.key)), None)


class PlaceDocument(Strict):
    """A place with a screen whose code changes every `rotates` seconds; `store` is what tills call it."""

    kind: Literal["check_in_place"] = "check_in_place"
    key: Annotated[str, Field(pattern=KEY.pattern)]
    program: str | None = None
    name: Names = {}
    store: Annotated[str | None, Field(max_length=200)] = None
    rotates: Annotated[int, Field(ge=10, le=3600)] = 30
    state: Literal["active", "paused"] = "active"


class TierDocument(Strict):
    """A level: members whose value reaches the threshold have it. A higher rank is better."""

    kind: Literal["tier"] = "tier"
    key: str
    program: str | None = None
    name: Names = {}
    rank: Annotated[int, Field(ge=1, le=1000)]
    threshold: Money
    benefits: list[Names] = []
