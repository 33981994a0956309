"""Pure: a basket as a till tells it: a receipt of the program, with vouchers, offers, and who serves."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from loyalty.offers.baskets import MOST_CODES, Code
from loyalty.program.receipts import CENT, Amount, Receipt, Text

# Below this the till's clock is as good as ours; beyond the last nobody knows what it meant.
SKEW_IGNORED = timedelta(minutes=2)
SKEW_MOST = timedelta(days=2)
Card = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
Offers = Literal["all", "none"] | list[Text]


class Basket(Receipt):
    """`customer` null: nobody showed a card. Amounts are before the discounts of `codes` and `offers`.

    `receipt`: the number that is printed, where it is not the id. `mode` unset: a call that only looks tells which
    codes cannot be used, one that books refuses the basket with them. `without`: articles there are none of, so that
    nobody recommends them.
    """

    customer: Text | dict[str, str] | None  # type: ignore[assignment]
    codes: Annotated[list[Code], Field(max_length=MOST_CODES)] = []
    offers: Offers = "none"
    mode: Literal["best", "all"] | None = None
    shipping: Amount = Decimal(0)
    staff: Card | None = None
    receipt: Text | None = None
    without: Annotated[list[Text], Field(max_length=1000)] | None = None

    @property
    def plain(self) -> bool:
        """Whether nothing but points is in it."""
        return not self.codes and self.offers == "none" and self.staff is None

    @model_validator(mode="after")
    def _lines(self) -> "Basket":
        if (self.codes or self.offers != "none") and not self.items:
            raise ValueError("items: vouchers and offers look at lines: give them")
        return self


class Reserved(BaseModel):
    """Commits what was reserved: the basket is the one that is held. `id` must be the one that was reserved."""

    model_config = ConfigDict(extra="forbid")

    id: Text
    reservation: Text
    occurred_at: AwareDatetime | None = None


def whole_of(basket: Basket) -> Decimal:
    """What the basket costs before discounts, without sending."""
    return sum((item.gross for item in basket.items), Decimal(0)) if basket.items else basket.total


def receipt_row(basket: Basket, customer: str | dict[str, str], off: dict[int, Decimal]) -> dict[str, Any]:
    """The row that the ledger books: what each line costs after its discount."""
    row = basket.model_dump(
        exclude_unset=True, exclude={"codes", "offers", "mode", "shipping", "staff", "receipt", "customer", "without"}
    )
    row["customer"] = customer
    if not off:
        return row
    items = []
    for number, (item, given) in enumerate(zip(basket.items, row["items"], strict=True), 1):
        left = {name: value for name, value in given.items() if name not in ("amount", "price")}
        discount = off.get(number, Decimal(0))
        left["amount"] = (item.gross - discount).quantize(CENT)
        if item.gross:
            share = left["amount"] / item.gross
            if item.net_amount is not None:
                left["net_amount"] = (item.net_amount * share).quantize(CENT)
        if item.margin is not None:
            left["margin"] = (item.margin - discount).quantize(CENT)
        items.append(left)
    row["items"] = items
    if basket.amount is not None:
        row["amount"] = max(Decimal(0), basket.amount - sum(off.values(), Decimal(0)))
    return row


def corrected(at: datetime | None, skew: timedelta) -> datetime | None:
    """The time of a purchase by our clock, where the till's goes wrong by `skew` (ours minus the till's)."""
    return at if at is None or abs(skew) <= SKEW_IGNORED else at + skew
