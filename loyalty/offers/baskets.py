"""Pure: a basket as a till or a shop tells it, and what vouchers and offers did to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from loyalty.program.receipts import CENT, MOST_ITEMS, Amount, Item, Text

# As in other promotion engines; more is a mistake or a guess.
MOST_CODES = 30

Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class Basket(BaseModel):
    """What somebody wants to buy, with which codes. Without a customer only codes that belong to nobody can be used.

    `offers`: the keys of the wallet's offers to use, `all` that can be. `mode` `all` refuses everything when one code
    cannot be used; `best` takes the combination that saves most and says why others were left.
    """

    model_config = ConfigDict(extra="forbid")

    customer: Text | dict[str, str] | None = None
    codes: Annotated[list[Code], Field(max_length=MOST_CODES)] = []
    offers: Literal["all", "none"] | list[Text] = "all"
    items: Annotated[list[Item], Field(max_length=MOST_ITEMS)] = []
    shipping: Amount = Decimal(0)
    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")] | None = None
    store: Text | None = None
    channel: Text | None = None
    at: AwareDatetime | None = None
    mode: Literal["best", "all"] = "best"


class Checkout(Basket):
    """A basket that is held or redeemed. `id` is the caller's own: sent again, it is the same checkout."""

    id: Text


@dataclass(frozen=True, slots=True)
class Line:
    """One line as the rules look at it; `gross` is what it costs in all, `margin` what is left of that, where told."""

    no: int
    gross: Decimal
    quantity: Decimal = Decimal(1)
    facts: dict[str, Any] = field(default_factory=dict)
    margin: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a code or an offer is not used: `reason` is one of `wording.REASONS`, `facts` what its sentence needs."""

    name: str
    kind: str
    reason: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Effect:
    """What one voucher or offer does: money off by line (`lines`), off sending, paid by gift card, points, a voucher
    to come. `spared` are lines left out because too little margin would stay."""

    name: str
    kind: str
    lines: dict[int, Decimal] = field(default_factory=dict)
    shipping: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    points: int = 0
    times: Decimal | None = None
    on: tuple[int, ...] = ()
    next_pool: str | None = None
    spared: tuple[int, ...] = ()

    @property
    def discount(self) -> Decimal:
        """All the money that the price is less."""
        return sum(self.lines.values(), self.shipping)

    @property
    def does(self) -> bool:
        """Whether there is anything in it for the customer."""
        return bool(self.discount or self.paid or self.points or (self.times and self.on) or self.next_pool)


def lines_of(items: Sequence[Item]) -> list[Line]:
    """The lines of a basket."""
    return [
        Line(
            number,
            item.gross.quantize(CENT),
            item.quantity,
            {"sku": item.sku, "category": item.category, "brand": item.brand, "labels": item.labels},
            item.margin,
        )
        for number, item in enumerate(items, 1)
    ]


def moment_of(basket: Basket, now: datetime) -> datetime:
    """When the basket is bought."""
    return basket.at or now
