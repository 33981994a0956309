"""Pure: what the documents `voucher_pool` and `offer` say."""

import re
from datetime import date, time
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from loyalty.kit.periods import Period
from loyalty.program.definition import KEY, Elapsed, Names, Points, Strict
from loyalty.program.rule_definition import Lines, When

Positive = Annotated[Decimal, Field(gt=0, max_digits=14, decimal_places=2)]
Share = Annotated[Decimal, Field(gt=0, le=100, max_digits=5, decimal_places=2)]
Pieces = Annotated[int, Field(ge=1, le=1000)]
# Of 32 signs each: ten are 50 bits, so that a million codes leave one chance in a billion to each guess.
RANDOM_MIN, RANDOM_MAX = 10, 28
PATTERN = re.compile(r"[A-Z0-9?-]+")


def _plain(value: Any) -> Any:
    if isinstance(value, Strict):
        fields = type(value).model_fields
        said = {name: getattr(value, name) for name in fields}
        return {
            fields[name].alias or name: _plain(one)
            for name, one in said.items()
            if name == "type" or fields[name].is_required() or one != fields[name].get_default()
        }
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date | time) else value


class _OnLines(Strict):
    """Only these lines of the basket, without those; `max`: the most it gives."""

    only: Lines = Lines()
    without: Lines = Lines()
    max: Positive | None = None


class Percent(_OnLines):
    """So many percent off the lines."""

    type: Literal["percent"] = "percent"
    percent: Share


class Amount(_OnLines):
    """So much off the lines, spread over them; never more than they cost."""

    type: Literal["amount"] = "amount"
    amount: Positive


class Product(_OnLines):
    """So many pieces for nothing, of the lines that are meant; the cheapest first."""

    type: Literal["product"] = "product"
    quantity: Pieces = 1

    @model_validator(mode="after")
    def _named(self) -> "Product":
        if not self.only:
            raise ValueError("only: name the articles, categories, brands or labels that are free")
        return self


class BuyGet(_OnLines):
    """Of every `buy` + `get` pieces the `get` cheapest cost `percent` less (100: nothing); `times` at most."""

    type: Literal["buy_get"] = "buy_get"
    buy: Pieces
    get: Pieces = 1
    percent: Share = Decimal(100)
    times: Pieces | None = None


class FreeShipping(Strict):
    """Sending costs nothing, or up to `max` less."""

    type: Literal["free_shipping"] = "free_shipping"
    max: Positive | None = None


class GiftCard(Strict):
    """Money to pay with; `amount` is on it when it is issued."""

    type: Literal["gift_card"] = "gift_card"
    amount: Positive


class NextOrder(Strict):
    """A voucher of another pool, for the next purchase."""

    type: Literal["next_order"] = "next_order"
    pool: str


class Multiplier(_OnLines):
    """The points that the lines earn, so many times."""

    type: Literal["multiplier"] = "multiplier"
    times: Annotated[Decimal, Field(gt=1, le=100, max_digits=5, decimal_places=2)]
    max: Points | None = None  # type: ignore[assignment]


class Bonus(Strict):
    """So many points, once."""

    type: Literal["points"] = "points"
    points: Points


# What of each kind of benefit a personal offer sets for the person.
SIZES = {"percent": "percent", "amount": "amount", "points": "points"}
HOLDOUT_MIN = 5

Benefit = Annotated[
    Percent | Amount | Product | BuyGet | FreeShipping | GiftCard | NextOrder | Multiplier | Bonus,
    Field(discriminator="type"),
]


class Conditions(When):
    """When it can be used. `minimum` is what the meant lines cost in all; `segments`: any of them; `tiers` too."""

    segments: list[str] = []
    only: Lines = Lines()
    without: Lines = Lines()


class Limits(Strict):
    """How often it can be used in all and by one person; `budget` is the most money it gives away. All hard stops."""

    total: Annotated[int, Field(ge=1)] | None = None
    person: Annotated[int, Field(ge=1)] | None = None
    budget: Positive | None = None


class Stacking(Strict):
    """How it goes with others. They are taken in the order of `priority`, then key. Of an `exclusive` group only one
    counts, as of the codes of one pool; one that is `alone` goes with nothing else.
    """

    priority: Annotated[int, Field(ge=0, le=30_000)] = 100
    exclusive: str | None = None
    alone: bool = False


class Prior(Strict):
    """What is believed before anything is known: `rate` percent of people reach the target by themselves, each size
    makes `lift` percent more of them do; it counts as much as `weight` people."""

    rate: Annotated[Decimal, Field(gt=0, lt=100)] = Decimal(10)
    lift: Annotated[Decimal, Field(gt=0, lt=50)] = Decimal(5)
    weight: Annotated[int, Field(ge=1, le=10_000)] = 20


class Personal(Strict):
    """A target and a size of one's own, from one's own purchases, in rounds that last `lasts`.

    `target` `spend`: the usual purchase (median of `history`) times `factor`, up to a multiple of `round`, between
    `min` and `max`; `category`: the one that stands at `rank` among one's own by what was spent. `sizes` are the sizes
    of the benefit to choose from. `margin` is what is left of a sale in percent, where purchases do not tell. `bands`
    part people by their usual purchase. `holdout` percent get nothing, `explore` percent a size by chance. `basis`:
    only for those who agreed to offers that fit (`consent`), or for all who did not object (`interest`).
    """

    target: Literal["spend", "category"] = "spend"
    sizes: Annotated[list[Positive], Field(min_length=1, max_length=8)]
    margin: Annotated[Decimal, Field(gt=0, le=100)]
    factor: Annotated[Decimal, Field(gt=0, le=10)] = Decimal("1.2")
    round: Positive = Decimal(5)
    min: Positive | None = None
    max: Positive | None = None
    rank: Annotated[int, Field(ge=1, le=10)] = 2
    history: Elapsed = "180d"
    purchases: Annotated[int, Field(ge=1, le=100)] = 3
    lasts: Elapsed = "28d"
    bands: Annotated[list[Positive], Field(max_length=8)] = [Decimal(25), Decimal(50), Decimal(100)]
    holdout: Annotated[Decimal, Field(ge=HOLDOUT_MIN, le=50)] = Decimal(10)
    explore: Annotated[Decimal, Field(ge=0, le=100)] = Decimal(10)
    prior: Prior = Prior()
    basis: Literal["consent", "interest"] = "consent"
    program: str | None = None

    @model_validator(mode="after")
    def _order(self) -> "Personal":
        for name, values in (("sizes", self.sizes), ("bands", self.bands)):
            if list(values) != sorted(set(values)):
                raise ValueError(f"{name}: write each once, the smallest first")
        if self.min and self.max and self.min > self.max:
            raise ValueError("max is less than min: swap them")
        if not 1 <= self.days <= 366:
            raise ValueError("lasts: 1 to 366 days, for example 28d")
        if self.target == "category" and {"factor", "round", "min", "max"} & self.model_fields_set:
            raise ValueError("factor, round, min and max belong to the target spend")
        if self.target == "spend" and "rank" in self.model_fields_set:
            raise ValueError("rank belongs to the target category")
        return self

    @property
    def days(self) -> int:
        return (Period.parse(self.lasts).seconds or 0) // 86_400

    @property
    def history_seconds(self) -> int:
        return Period.parse(self.history).seconds or 0


class _Usable(Strict):
    """What pools and offers have in common. `returned`: whether a full return lets it be used again. `margin_floor`:
    how many percent of a line's price must stay as margin, by all that is taken off it; where the margin is told.
    """

    key: str = Field(pattern=f"^{KEY.pattern}$")
    name: Names = {}
    description: Names = {}
    state: Literal["active", "paused"] = "active"
    benefit: Benefit
    when: Conditions = Conditions()
    limits: Limits = Limits()
    stack: Stacking = Stacking()
    margin_floor: Annotated[Decimal, Field(ge=0, le=100, max_digits=5, decimal_places=2)] | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "EUR"
    timezone: str = ""
    returned: Literal["restore", "keep"] = "restore"

    def plain(self) -> dict[str, Any]:
        """The document as it is stored and shown: what is as usual is left out, at every depth."""
        return _plain(self)

    @model_validator(mode="after")
    def _zone(self) -> "_Usable":
        if self.timezone:
            from zoneinfo import ZoneInfo

            try:
                ZoneInfo(self.timezone)
            except (KeyError, ValueError, OSError):
                raise ValueError(f"timezone: {self.timezone!r} is no time zone such as Europe/Berlin") from None
        return self


class Codes(Strict):
    """Where codes come from: made by `pattern` (each ? a random sign), brought in a file, or one `code` for all.

    `uses`: how often each can be used; NULL for one code for all without a limit.
    """

    type: Literal["generated", "imported", "shared"] = "generated"
    pattern: Annotated[str, Field(min_length=1, max_length=60)] = "????-????-????"
    code: Annotated[str, Field(min_length=3, max_length=60)] | None = None
    uses: Annotated[int, Field(ge=1)] = 1
    low: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _fits(self) -> "Codes":
        given = self.model_fields_set
        if not RANDOM_MIN <= self.pattern.count("?") <= RANDOM_MAX:
            raise ValueError(
                f"pattern: {RANDOM_MIN} random signs (?) at least, else codes can be guessed; {RANDOM_MAX} at most"
            )
        if not PATTERN.fullmatch(self.pattern):
            raise ValueError("pattern: write capital letters, digits, hyphens and ? for each random sign")
        if self.type != "generated" and "pattern" in given:
            raise ValueError("pattern: only generated codes have one")
        if (self.type == "shared") != (self.code is not None):
            raise ValueError("code: give it when, and only when, the type is shared")
        if self.type == "shared" and "uses" in given:
            raise ValueError("uses: say limits.total and limits.person for a code that all share")
        if self.type != "imported" and "low" in given:
            raise ValueError("low: only imported codes run out")
        return self


class Validity(Strict):
    """From a day, up to the end of a day, and how long a code is good after it was issued."""

    start: Annotated[date | None, Field(alias="from")] = None
    end: Annotated[date | None, Field(alias="to")] = None
    after_issue: Annotated[Elapsed | None, Field(alias="for")] = None

    @model_validator(mode="after")
    def _order(self) -> "Validity":
        if self.start and self.end and self.start > self.end:
            raise ValueError("'from' is after 'to': swap them")
        return self


class PoolDocument(_Usable):
    """Codes that give the same. `remind`: how long before their end people are reminded of theirs. `transferable`:
    whoever has the code may use it, not only the person it was issued to.
    """

    kind: Literal["voucher_pool"] = "voucher_pool"
    transferable: bool = False
    codes: Codes = Codes()
    valid: Validity = Validity()
    remind: list[Elapsed] = ["7d"]

    @model_validator(mode="after")
    def _whole(self) -> "PoolDocument":
        if self.benefit.type == "gift_card":
            if self.codes.type == "shared":
                raise ValueError("codes.type: a gift card has a code of its own; use generated or imported")
            if "uses" in self.codes.model_fields_set:
                raise ValueError("codes.uses: a gift card is good until nothing is left on it")
        if self.benefit.type == "next_order" and self.benefit.pool == self.key:
            raise ValueError("benefit.pool: names this pool itself")
        return self


class OfferDocument(_Usable):
    """Something to use without a code: by everybody whom `when` fits, or only by those it was given to (`given`).

    `activate`: only after the person has chosen it in the wallet. `personal`: each with a target and a size of their
    own; what `benefit` says of its size is replaced.
    """

    kind: Literal["offer"] = "offer"
    image: Annotated[str, Field(pattern="^https://")] | None = None
    activate: bool = True
    given: bool = False
    personal: Personal | None = None

    @model_validator(mode="after")
    def _whole(self) -> "OfferDocument":
        if self.benefit.type == "gift_card":
            raise ValueError("benefit.type: a gift card needs a code; make it a voucher_pool")
        if self.personal is not None:
            self._fits(self.personal)
        return self

    def _fits(self, personal: Personal) -> None:
        kind = self.benefit.type
        if kind not in SIZES:
            raise ValueError(f"personal: has sizes of {', '.join(SIZES)}, none of {kind}")
        if kind == "percent" and personal.sizes[-1] > 100:
            raise ValueError("personal.sizes: more than 100 percent")
        if kind == "points" and any(size != int(size) for size in personal.sizes):
            raise ValueError("personal.sizes: points are whole numbers")
        if self.given:
            raise ValueError("given: a personal offer is given by its own rules; leave it out")
        if personal.target == "spend" and self.when.minimum is not None:
            raise ValueError("when.minimum: is the personal target; leave it out")
        own = getattr(self.benefit, "only", None)
        if personal.target == "category" and (self.when.only.category or (own and own.category)):
            raise ValueError("only.category: is the personal target; leave it out")


Usable = PoolDocument | OfferDocument
