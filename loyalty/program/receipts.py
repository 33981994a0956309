"""Pure: purchases and returns as the point of sale tells them, read and checked."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from loyalty.kit.problems import STORABLE, Problem, from_pydantic, with_suggestion

MOST_ITEMS = 1000
# Clocks of tills go wrong by minutes; more is another day, another year.
AHEAD = timedelta(minutes=10)
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
CENT = Decimal("0.01")
# The namespace of the ids of purchases.
SOURCE = "transaction"

# PostgreSQL keeps every character but these.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(value: str) -> str:
    """The text itself; raises ValueError for what cannot be kept."""
    if _UNSTORABLE.search(value):
        raise ValueError("holds a character that cannot be stored (NUL or half of a pair)")
    return value


# By pattern: a function of ours would be called seven times a receipt, and take a sixth of the time to read it.
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=STORABLE)]
Amount = Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=2)]
Signed = Annotated[Decimal, Field(max_digits=14, decimal_places=2)]
Count = Annotated[int, Field(gt=0, le=100_000_000)]
Quantity = Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=3)]


class Item(BaseModel):
    """One line: what it cost in all (`amount`), or a piece (`price`)."""

    model_config = ConfigDict(extra="forbid")

    sku: Text | None = None
    name: Text | None = None
    category: Text | None = None
    brand: Text | None = None
    labels: list[Text] = Field(default_factory=list)
    quantity: Quantity = Decimal(1)
    amount: Amount | None = None
    price: Amount | None = None
    net_amount: Amount | None = None
    margin: Signed | None = None

    @model_validator(mode="after")
    def _cost(self) -> "Item":
        if (self.amount is None) == (self.price is None):
            raise ValueError("give either amount (of the whole line) or price (of a piece)")
        return self

    @property
    def gross(self) -> Decimal:
        """What the whole line cost."""
        if self.amount is not None:
            return self.amount
        return ((self.price or Decimal(0)) * self.quantity).quantize(CENT)


class Receipt(BaseModel):
    """A purchase. `id` is the till's own: sent again, it is the same purchase. `spend`: points paid with, by wallet."""

    model_config = ConfigDict(extra="forbid")

    id: Text
    program: Text | None = None
    customer: Text | dict[Text, Text]
    occurred_at: AwareDatetime | None = None
    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")] | None = None
    amount: Amount | None = None
    net_amount: Amount | None = None
    margin: Signed | None = None
    items: Annotated[list[Item], Field(max_length=MOST_ITEMS)] = Field(default_factory=list)
    store: Text | None = None
    channel: Text | None = None
    spend: Count | dict[Text, Count] | None = None
    # Never written down with what is kept of a receipt.
    pin: Text | None = Field(None, exclude=True, repr=False, description="Of the member, where paying asks for it.")

    @model_validator(mode="after")
    def _whole(self) -> "Receipt":
        if self.amount is None and not self.items:
            raise ValueError("give amount, or items with their amounts")
        if isinstance(self.customer, dict) and len(self.customer) != 1:
            raise ValueError('customer: name one identity, for example {"card": "..."}')
        return self

    @property
    def total(self) -> Decimal:
        """What was paid."""
        return sum((item.gross for item in self.items), Decimal(0)) if self.amount is None else self.amount

    def content(self, lines: str, total: Decimal) -> UUID:
        """The hash of what was said beside the id, to tell a repetition from a second purchase under the same id."""
        rest = (self.customer, self.occurred_at, self.currency, total, self.net_amount, self.margin)
        return _digest(repr((rest, self.store, self.channel, self.spend, lines)))

    def lines(self) -> list[dict[str, Any]]:
        """The lines as they are kept. A discount on the whole receipt is spread over them; costs beside them (sending)
        earn nothing."""
        if not self.items:
            return [_line(1, Decimal(1), self.total, net=self.net_amount, margin=self.margin)]
        gross = [item.gross for item in self.items]
        if self.amount is not None:
            gross = spread(self.amount, gross)
        found = []
        for number, (item, amount) in enumerate(zip(self.items, gross, strict=True), 1):
            line = _line(number, item.quantity, amount, net=item.net_amount, margin=item.margin)
            # Said even when unknown: it tells a receipt with lines from one without.
            line["sku"] = item.sku
            if item.category is not None:
                line["category"] = item.category
            if item.brand is not None:
                line["brand"] = item.brand
            if item.labels:
                line["labels"] = item.labels
            found.append(line)
        return found


def _line(
    number: int, quantity: Decimal, gross: Decimal, *, net: Decimal | None, margin: Decimal | None
) -> dict[str, Any]:
    """A line as it is kept: what is not known is left out."""
    line = {"no": number, "quantity": str(quantity), "gross": str(gross)}
    if net is not None:
        line["net"] = str(net)
    if margin is not None:
        line["margin"] = str(margin)
    return line


def spread(total: Decimal, parts: Sequence[Decimal]) -> list[Decimal]:
    """The parts, made smaller in proportion where they are more than the total; to the cent."""
    whole = sum(parts, Decimal(0))
    if whole <= total or not whole:
        return list(parts)
    found, before, upto = [], Decimal(0), Decimal(0)
    for part in parts:
        upto += part
        reached = (total * upto / whole).quantize(CENT, ROUND_FLOOR)
        found.append(reached - before)
        before = reached
    return found


class ReturnedItem(BaseModel):
    """A line of the purchase by its number or its article; without quantity all that is left of it."""

    model_config = ConfigDict(extra="forbid")

    line: Annotated[int, Field(ge=1, le=MOST_ITEMS)] | None = None
    sku: Text | None = None
    quantity: Quantity | None = None

    @model_validator(mode="after")
    def _one(self) -> "ReturnedItem":
        if (self.line is None) == (self.sku is None):
            raise ValueError("give either line (1 is the first) or sku")
        return self


class Return(BaseModel):
    """What comes back of a purchase; without items everything that is left."""

    model_config = ConfigDict(extra="forbid")

    id: Text
    transaction: Text
    occurred_at: AwareDatetime | None = None
    items: Annotated[list[ReturnedItem], Field(max_length=MOST_ITEMS)] = []
    store: Text | None = None
    reason: Text | None = None


class Void(BaseModel):
    """A purchase that never was: all of it is taken back. `id` may be left out."""

    model_config = ConfigDict(extra="forbid")

    transaction: Text
    id: Text | None = None
    reason: Text | None = None


def read(shape: type[BaseModel], row: object) -> tuple[Any, list[Problem]]:
    """The row as that shape, or what is wrong with it."""
    try:
        return shape.model_validate(row), []
    except ValidationError as error:
        known = tuple(shape.model_fields)
        return None, [with_suggestion(problem, known) for problem in from_pydantic(error)]


def late_or_early(at: datetime | None, now: datetime) -> list[Problem]:
    """What is wrong with the time on the till's clock."""
    if at is not None and at > now + AHEAD:
        return [Problem("occurred_at", f"{at.isoformat()} lies in the future", "set the clock of the till right")]
    if at is not None and at < EARLIEST:
        return [Problem("occurred_at", f"{at.isoformat()} lies before 1990", "set the clock of the till right")]
    return []


def key_of(source: str, identifier: str) -> UUID:
    """The hash under which a caller's own id is remembered."""
    return _digest(f"{source}:{identifier}")


def content_of(one: BaseModel) -> UUID:
    """The hash of what was said, to tell a repetition from a second thing under the same id."""
    return _digest(one.model_dump_json(exclude={"id"}, exclude_none=True))


def _digest(text: str) -> UUID:
    return UUID(bytes=hashlib.md5(text.encode(), usedforsecurity=False).digest())


def rounds(members: Sequence[int], order: Sequence[datetime]) -> list[list[int]]:
    """The places of a batch in rounds: in each, a member at most once; the member's earlier ones in earlier rounds."""
    seen: dict[int, int] = {}
    found: list[list[int]] = []
    for place in sorted(range(len(members)), key=lambda place: (order[place], place)):
        turn = seen.get(members[place], 0)
        seen[members[place]] = turn + 1
        if turn == len(found):
            found.append([])
        found[turn].append(place)
    return found


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A line of a purchase with numbers instead of their texts."""
    numbers = {name: Decimal(row[name]) for name in ("quantity", "gross", "net", "margin") if row.get(name) is not None}
    return {**row, **numbers}
