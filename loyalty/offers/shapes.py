"""What the calls of offers take and answer."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ninja import Field, Schema
from pydantic import AwareDatetime, ConfigDict

from loyalty.offers import queries

LARGEST_ISSUE = 5_000


class Line(Schema):
    no: int
    sku: str | None
    gross: str
    discount: str
    net: str


class Applied(Schema):
    name: str = Field(description="The code as it was typed, or the key of the offer.")
    kind: str = Field(description="voucher or offer")
    key: str = Field(description="Of the voucher pool or the offer.")
    type: str
    sentence: str
    discount: str
    shipping: str
    paid: str = Field(description="What a gift card pays.")
    lines: dict[str, str] = Field(description="The discount by number of the line.")
    spared: list[int] = Field([], description="Lines left out: too little margin would stay.")
    points: int
    times: str | None = Field(description="Times the points.")
    next: str | None = Field(description="The pool of the voucher for the next purchase.")


class Refused(Schema):
    name: str
    kind: str
    reason: str = Field(description="A stable code.")
    sentence: str
    missing: Any = None


class Answer(Schema):
    currency: str
    total: str
    discount: str
    paid: str
    to_pay: str
    shipping: str
    shipping_discount: str
    lines: list[Line]
    applied: list[Applied]
    refused: list[Refused]
    recommendations: list[Refused] = Field(description="Offers that are nearly reached.")
    valid: bool = Field(description="No code is refused.")


class NextVoucher(Schema):
    pool: str
    code: str
    valid_until: str | None


class Redeemed(Answer):
    issued: list[NextVoucher] = Field([], description="Vouchers for the next purchase.")
    points: int = Field(0, description="Points given on top of the purchase.")


class ReservationOut(Schema):
    reservation: UUID
    state: str = Field(description="reserved, redeemed, released or returned")
    ends_at: datetime
    repeated: bool = Field(description="It was there before; nothing changed.")
    answer: Redeemed | None = Field(description="Null once the customer was forgotten.")


class WhichReservation(Schema):
    model_config = ConfigDict(extra="forbid")

    reservation: UUID


class RefundIn(WhichReservation):
    id: str = Field(min_length=1, max_length=200, description="Your own: sent again, nothing more is given.")
    amount: Decimal = Field(gt=0, max_digits=14, decimal_places=2)


class RefundOut(Schema):
    refunded: Decimal


class WantedIn(Schema):
    model_config = ConfigDict(extra="forbid")

    customer: str | dict[str, str] | None = None
    id: str | None = Field(None, min_length=1, max_length=200, description="Your own: sent again, the same voucher.")
    amount: Decimal | None = Field(None, gt=0, max_digits=14, decimal_places=2)
    valid_until: AwareDatetime | None = None


class IssueIn(Schema):
    model_config = ConfigDict(extra="forbid")

    pool: str
    vouchers: list[WantedIn] = Field(min_length=1, max_length=LARGEST_ISSUE)


class IssuedOut(Schema):
    code: str | None = Field(description="Null where the stock of codes ran out.")
    valid_until: datetime | None


class VoucherOut(Schema):
    code: str | None
    pool: str
    name: dict[str, str]
    sentence: str
    status: str = Field(description="usable, held, used, over, early or void")
    issued_at: datetime | None
    valid_from: datetime | None
    valid_until: datetime | None
    available: Decimal | None = Field(description="What is on a gift card.")


class BroughtIn(Schema):
    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=1, max_length=100)
    amount: Decimal | None = Field(None, gt=0, max_digits=14, decimal_places=2)
    valid_until: AwareDatetime | None = None


class CodesIn(Schema):
    model_config = ConfigDict(extra="forbid")

    codes: list[str | BroughtIn] = Field(min_length=1, max_length=50_000)


class CodesOut(Schema):
    accepted: int
    doubles: int
    rejected: list[dict[str, Any]]


class Page(Schema):
    after: int | None = Field(None, description="The cursor `next` of the page before.")
    limit: int = Field(queries.PAGE, ge=1, le=queries.LARGEST_PAGE)


class OfferOut(Schema):
    key: str
    name: dict[str, str]
    description: dict[str, str]
    image: str | None
    type: str
    sentence: str
    why: str | None = Field(description="Why the customer has this offer, where it is a personal one.")
    state: str = Field(description="open (to activate), active, or used as often as one may")
    activated_at: datetime | None
    valid_to: Any
    uses: int
    uses_most: int | None


class ActivateIn(Schema):
    model_config = ConfigDict(extra="forbid")

    customer: str | dict[str, str]


class GiveIn(Schema):
    model_config = ConfigDict(extra="forbid")

    customers: list[str | dict[str, str]] = Field(min_length=1, max_length=LARGEST_ISSUE)
    activate: bool = False


class PersonalGroup(Schema):
    people: int = Field(description="Somebody in three rounds counts three times.")
    reached: int = Field(description="Who reached the target.")
    used: int
    revenue: float
    margin: float = Field(description="After what the offer cost.")
    cost: float


class PersonalDifference(Schema):
    margin_a_head: float
    low: float = Field(description="With `high` the interval of 95 percent.")
    high: float
    margin: float = Field(description="For all who were offered it.")
    verdict: str = Field(description="few (too few people to say), unclear (may be chance), more or less")


class PersonalResult(Schema):
    offered: PersonalGroup
    held_out: PersonalGroup
    difference: PersonalDifference


class PersonalRate(Schema):
    band: int
    step: int
    size: float
    reach: float = Field(description="The share that reaches the target with this size.")
    redeem: float
    base: float = Field(description="The share that reaches it without.")
    people: int
    others: int


class PersonalRound(Schema):
    number: int
    state: str
    given_at: datetime
    ends_at: datetime
    result: PersonalResult | None = Field(description="Null until the round is measured, a day after its end.")
    rates: list[PersonalRate] = Field(description="By which sizes were chosen.")


class PersonalResultsOut(Schema):
    key: str
    in_all: PersonalResult
    rounds: list[PersonalRound]
