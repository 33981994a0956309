"""What the shop's calls take and answer."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from ninja import Field, Schema
from pydantic import AwareDatetime, ConfigDict

from loyalty.rewards import queries, wording
from loyalty.rewards.orders import LONGEST
from loyalty.rewards.queries import Offered

_WHO = 'External id, or one identity such as {"card": "..."}.'


class PriceOut(Schema):
    points: int
    money: Decimal | None
    currency: str | None
    sentence: str


class SlotOut(Schema):
    at: datetime
    left: int


class ItemOut(Schema):
    reward: str
    name: dict[str, str]
    quantity: int


class RewardOut(Schema):
    key: str
    type: str
    name: dict[str, str]
    text: dict[str, str]
    image: str | None
    categories: list[str]
    featured: bool
    prices: list[PriceOut]
    wallet: str
    value: Decimal | None = Field(description="Money that somebody gets: cashback, donation, gift card.")
    left: int | None = Field(description="Null without a limit.")
    most: int = Field(description="So many can be redeemed at once now.")
    missing: int = Field(description="Points that the cheapest price still needs.")
    available: bool
    why_not: str = Field(description=f"Empty, or one of: {', '.join(wording.REFUSALS)}")
    why_not_sentence: str
    reason: str = Field(description=f"Why it stands where it does: {', '.join(wording.REASONS)}")
    reason_sentence: str
    wished: bool
    slots: list[SlotOut]
    items: list[ItemOut]
    withdrawal: str


class CategoryOut(Schema):
    key: str
    name: dict[str, str]


class RewardsOut(Schema):
    program: str
    categories: list[CategoryOut]
    rewards: list[RewardOut]


class RewardsQuery(Schema):
    customer: str | None = Field(None, description="External id; without it, what is open to everybody.")
    program: str | None = None
    category: str = ""
    type: str = ""
    search: str = Field("", max_length=200)
    affordable: bool = Field(False, description="Only what there are points enough for.")


class WishIn(Schema):
    model_config = ConfigDict(extra="forbid")

    reward: str
    program: str | None = None


class WishOut(Schema):
    program: str
    wish: RewardOut | None


class Address(Schema):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=LONGEST)
    street: str = Field(max_length=LONGEST)
    postcode: str = Field(max_length=LONGEST)
    city: str = Field(max_length=LONGEST)
    country: str = Field(pattern="^[A-Z]{2}$")
    company: str | None = Field(None, max_length=LONGEST)
    addition: str | None = Field(None, max_length=LONGEST)
    region: str | None = Field(None, max_length=LONGEST)
    email: str | None = Field(None, max_length=LONGEST)
    phone: str | None = Field(None, max_length=LONGEST)

    def plain(self) -> dict[str, str]:
        """What was given."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


class RedemptionIn(Schema):
    model_config = ConfigDict(extra="forbid")

    customer: str | dict[str, str] = Field(description=_WHO)
    reward: str
    quantity: int = Field(1, ge=1, le=100)
    price: int = Field(0, ge=0, le=10, description="The place of the price among the reward's prices.")
    id: str | None = Field(None, min_length=1, max_length=200, description="Your own id: sent again, it is one order.")
    address: Address | None = None
    slot: AwareDatetime | None = None
    payment: str | None = Field(None, max_length=200, description="The reference of the payment of the money part.")
    note: str | None = Field(None, max_length=500)
    pin: str | None = Field(None, max_length=20, description="Of the member, where so many points ask for it.")
    program: str | None = None


class CancelIn(Schema):
    model_config = ConfigDict(extra="forbid")

    reason: str | None = Field(None, max_length=500)
    by_member: bool = Field(False, description="Keep to what members may: not once it is packed or delivered at once.")


class StateIn(Schema):
    model_config = ConfigDict(extra="forbid")

    state: str = Field(description="approved, packed, shipped or delivered")
    tracking: str | None = Field(None, max_length=200)


class RedemptionStepOut(Schema):
    state: str
    at: datetime


class RedemptionOut(Schema):
    id: int
    status: str | None = Field(None, description="redeemed, or duplicate: it was there before, nothing changed")
    program: str
    customer: str | None
    reward: str
    name: dict[str, Any]
    type: str
    quantity: int
    state: str
    state_since: datetime
    source: str
    points: int
    money: Decimal | None
    currency: str | None
    payment: str | None
    value: Decimal | None
    slot: datetime | None
    address: dict[str, str] | None
    tracking: str | None
    note: str | None
    reason: str | None
    won: bool | None
    ordered_at: datetime
    booking: int | None = Field(description="What it cost, in the ledger.")
    refund: int | None = Field(description="The booking that gave the points back.")
    link: str | None
    codes: list[str]
    parts: list["RedemptionOut"] = []
    steps: list[RedemptionStepOut] | None = None


class RedemptionsOut(Schema):
    redemptions: list[RedemptionOut]
    next: int | None


class RedemptionsQuery(Schema):
    customer: str | None = None
    program: str | None = None
    state: str | None = None
    after: int | None = Field(None, ge=0, le=2**63 - 1, description="The cursor `next` of the page before.")
    limit: int = Field(queries.PAGE, ge=1, le=queries.LARGEST_PAGE)


def shown(offer: Offered) -> dict[str, Any]:
    """A reward of the shop as calls answer it."""
    return {
        "key": offer.key,
        "type": offer.type,
        "name": offer.name,
        "text": offer.text,
        "image": offer.image,
        "categories": offer.categories,
        "featured": offer.featured,
        "prices": [
            {
                "points": price.points,
                "money": price.money,
                "currency": None if price.money is None else offer.currency,
                "sentence": wording.price(price.points, price.money, offer.currency),
            }
            for price in offer.prices
        ],
        "wallet": offer.wallet,
        "value": offer.value,
        "left": offer.left,
        "most": max(0, offer.may),
        "missing": offer.missing,
        "available": not offer.why_not,
        "why_not": offer.why_not,
        "why_not_sentence": wording.why_not(offer.why_not, missing=offer.missing),
        "reason": offer.reason,
        "reason_sentence": wording.reason(offer.reason, missing=offer.missing, about=offer.about),
        "wished": offer.wished,
        "slots": [{"at": slot.starts_at, "left": slot.places - slot.taken} for slot in offer.slots],
        "items": [{"reward": key, "name": name, "quantity": n} for key, name, n in offer.items],
        "withdrawal": wording.withdrawal(offer.loaded.document),
    }


def told(row: dict[str, Any]) -> dict[str, Any]:
    """A redemption as calls answer it."""
    return {
        **row,
        "booking": row["booking_id"],
        "refund": row["refund_id"],
        "parts": [told(part) for part in row["parts"]],
    }


class SupplierReportIn(Schema):
    model_config = ConfigDict(extra="ignore")

    number: int = Field(ge=1, lt=2**63, description="As in the message of the order.")
    state: Literal["approved", "packed", "shipped", "delivered"]
    tracking: str | None = Field(None, min_length=1, max_length=200, pattern=r"^[ -~]+$")


class SupplierReportsIn(Schema):
    reports: list[SupplierReportIn] = Field(min_length=1, max_length=1000)


class SupplierRefusal(Schema):
    number: int
    problem: str


class SupplierReportsOut(Schema):
    applied: int = Field(description="Orders that came further, or got their tracking number.")
    known: int = Field(description="What was known already, or overtaken.")
    refused: list[SupplierRefusal] = Field(description="Do not send these again.")


class SupplierOut(Schema):
    key: str
    name: str
    state: str
    url: str | None
    waiting: int = Field(description="Orders still to be sent to them.")
    told: int
    dead: int = Field(description="Given up until somebody has them sent again.")
    failures: int = Field(description="In a row; from 5 on the supplier rests for a while.")
    resting_until: datetime | None
    told_at: datetime | None
    heard_at: datetime | None


class SuppliersOut(Schema):
    suppliers: list[SupplierOut]
