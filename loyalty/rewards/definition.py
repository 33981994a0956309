"""Pure: what the documents `reward` and `reward_category` say."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BeforeValidator, Field, model_validator

from loyalty.program.definition import KEY, Elapsed, Names, Strict
from loyalty.program.rule_definition import Times
from loyalty.rewards import names

MOST_PRICES, MOST_SLOTS, MOST_ITEMS = 5, 500, 20

Paid = Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=2)]
Word = Annotated[str, Field(pattern=KEY.pattern, max_length=50)]
Link = Annotated[str, Field(pattern=r"^(https?://|/)\S+$", max_length=2000)]
Count = Annotated[int, Field(ge=0, le=100_000_000)]


def _times(value: Any) -> Any:
    return {"max": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Price(Strict):
    """Points, money, or both; neither makes it a gift. Money is what the member pays besides."""

    points: Count = 0
    money: Paid | None = None


class Span(Strict):
    """From `from` on, until before `to`."""

    start: Annotated[AwareDatetime | None, Field(alias="from")] = None
    end: Annotated[AwareDatetime | None, Field(alias="to")] = None

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.start and self.end and self.start >= self.end:
            raise ValueError("'from' is not before 'to': swap them")
        return self

    def holds(self, now: datetime) -> bool:
        """Whether now lies in it."""
        return (self.start is None or self.start <= now) and (self.end is None or now < self.end)


class Visible(Span):
    """To whom and when it is shown: members of any of the segments, with any of the tiers."""

    segments: list[str] = []
    tiers: list[str] = []


class Slot(Strict):
    """An hour at which it takes place, and how many find room."""

    at: AwareDatetime
    places: Annotated[int, Field(gt=0, le=1_000_000)] = 1


class Part(Strict):
    """A reward that a bundle brings."""

    reward: str
    quantity: Annotated[int, Field(gt=0, le=100)] = 1


class Draw(Strict):
    """Who redeemed tickets takes part; `winners` of them get the prize, a reward."""

    at: AwareDatetime
    winners: Annotated[int, Field(gt=0, le=10_000)] = 1
    prize: str


class RewardDocument(Strict):
    """Something to redeem points for.

    `prices` are alternatives; one price is written as `points` and `money` beside the other fields. `stock` is how many
    there ever are; `codes: true` means that it brings a code, and the codes that are added are its stock. `value` is
    money that somebody gets (cashback, donation, gift card) and `cost` what one costs us.
    """

    kind: Literal["reward"] = "reward"
    key: Annotated[str, Field(pattern=KEY.pattern, max_length=50)]
    program: str | None = None
    wallet: str | None = None
    type: Literal[
        "physical", "digital", "service", "event", "donation", "cashback", "gift_card", "bundle", "draw_ticket"
    ]
    state: Literal["active", "paused", "archived"] = "active"
    name: Names = {}
    text: Names = {}
    withdrawal: Names = {}
    image: Link | None = None
    categories: list[Word] = []
    likes: list[str] = []
    featured: bool = False
    position: Annotated[int, Field(ge=0, le=30_000)] = 100
    points: Count | None = None
    money: Paid | None = None
    prices: Annotated[list[Price], Field(max_length=MOST_PRICES)] = []
    stock: Count | None = None
    low_stock: Count | None = None
    per_person: Annotated[Times | None, BeforeValidator(_times)] = None
    most: Annotated[int, Field(gt=0, le=100)] = 10
    visible: Visible = Visible()
    redeemable: Span = Span()
    codes: bool = False
    link: Link | None = None
    voucher_pool: str | None = None
    value: Paid | None = None
    cost: Paid | None = None
    tax_rate: Annotated[Decimal | None, Field(ge=0, le=100, max_digits=5, decimal_places=2)] = None
    supplier: str | None = None
    cause: Names = {}
    slots: Annotated[list[Slot], Field(max_length=MOST_SLOTS)] = []
    cancel_before: Elapsed = "0s"
    items: Annotated[list[Part], Field(max_length=MOST_ITEMS)] = []
    draw: Draw | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        wrong = [
            text
            for is_wrong, text in (
                (bool(self.prices) == (self.points is not None or self.money is not None),
                 "points: give either points (and money) or a list of prices"),
                (self.codes and self.type not in (names.DIGITAL, names.GIFT_CARD, names.SERVICE, names.EVENT),
                 f"codes: a reward of type {self.type} brings no code"),
                (self.codes and self.stock is not None, "stock: the codes are the stock, leave it out"),
                (self.link is not None and self.type != names.DIGITAL, "link: only digital rewards have one"),
                (self.voucher_pool is not None and self.type not in (names.DIGITAL, names.GIFT_CARD),
                 "voucher_pool: only digital rewards and gift cards have one"),
                (self.voucher_pool is not None and self.codes, "voucher_pool: it brings codes of its own already"),
                (self.type in names.VALUABLE and self.value is None,
                 f"value: how much is a {self.type} worth? Add it"),
                (self.type not in names.VALUABLE and self.value is not None,
                 "value: only donations, cashback and gift cards have one"),
                (bool(self.slots) and self.type not in names.TIMED, "slots: only services and events have some"),
                (len({slot.at for slot in self.slots}) < len(self.slots), "slots: two of them are at the same time"),
                ((self.type == names.BUNDLE) != bool(self.items), "items: a bundle, and only that, has some"),
                ((self.type == names.DRAW_TICKET) != (self.draw is not None),
                 "draw: a draw ticket, and only that, has one"),
                (self.draw is not None and self.draw.prize == self.key, "draw.prize: is the ticket itself"),
                (self.key in [part.reward for part in self.items], "items: the bundle is part of itself"),
                (len({part.reward for part in self.items}) < len(self.items), "items: two of them are the same"),
            )
            if is_wrong
        ]  # fmt: skip
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def options(self) -> list[Price]:
        """The prices, of which a member chooses one."""
        return self.prices or [Price(points=self.points or 0, money=self.money)]

    @property
    def at_once(self) -> bool:
        """Whether it is delivered in the moment it is redeemed."""
        return self.type in (names.BUNDLE, names.DRAW_TICKET) or bool(self.codes or self.link or self.voucher_pool)


class CategoryDocument(Strict):
    """The name of a category of rewards, and its place in the shop."""

    kind: Literal["reward_category"] = "reward_category"
    key: Word
    name: Names = {}
    position: Annotated[int, Field(ge=0, le=30_000)] = 100
