"""What the program's calls take and answer."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from ninja import Field, Schema
from pydantic import AfterValidator, AwareDatetime, ConfigDict

from loyalty.program import queries
from loyalty.program.receipts import Text, storable

LARGEST_BATCH = 5_000


class Whose(Schema):
    """Whose membership: the external id, or one identity."""

    model_config = ConfigDict(extra="forbid")

    customer: Text | dict[Text, Text] = Field(description='External id, or one identity such as {"card": "..."}.')
    program: Text | None = Field(None, description="Only needed where there are several programs.")


class Balance(Schema):
    wallet: str
    available: int = Field(description="What can be spent now.")
    balance: int = Field(description="Below 0 when points were returned after they had been spent.")
    pending: int
    locked: int
    owed: int
    next_expiry: datetime | None
    next_expiry_points: int
    expiring_soon: int = Field(description=f"Expires within {queries.SOON_DAYS} days.")


class Earned(Schema):
    wallet: str
    points: int
    rule: str | None
    sentence: str
    state: str
    available_at: datetime | None
    waits_for: str | None = Field(None, description="The event that releases them, before `available_at`.")
    expires_at: datetime | None


class Outcome(Schema):
    status: str = Field(description="committed, duplicate (booked before, nothing changed) or simulated")
    booking: int | None
    id: str | None
    kind: str
    amount: Decimal | None
    earned: list[Earned]
    points: int = Field(description="Earned in the program's first wallet.")
    spent: dict[str, int]
    reversed: dict[str, int]
    refunded: dict[str, int]
    balances: list[Balance]
    tier: str | None
    notice: str | None = Field(None, description="Where the program ends: until when members earn and spend.")


class MemberOut(Schema):
    program: str
    customer: str | None
    member: int
    state: str
    joined_at: datetime
    tier: str | None
    balances: list[Balance]


class Rejected(Schema):
    index: int
    problems: list[dict[str, str]]


class BalancesOut(Schema):
    program: str
    balances: list[Balance]


class LedgerQuery(Schema):
    program: Text | None = None
    after: int | None = Field(None, description="The cursor `next` of the page before.")
    limit: int = Field(queries.PAGE, ge=1, le=queries.LARGEST_PAGE)


class TierIn(Schema):
    model_config = ConfigDict(extra="forbid")

    tier: Text | None = Field(description="Null takes the tier away.")
    until: AwareDatetime | None = None
    program: Text | None = None


class PointsIn(Schema):
    model_config = ConfigDict(extra="forbid")

    points: int = Field(gt=0, le=100_000_000)
    wallet: Text | None = None
    program: Text | None = None
    reason: Annotated[str, AfterValidator(storable)] | None = Field(None, max_length=500)
    pin: str | None = Field(None, max_length=20, description="Of the member, where the program asks for it.")


class PointsOut(Schema):
    booking: int
    points: int
    balances: list[Balance]


class HoldIn(PointsIn):
    lasts: str = Field("15m", description="How long: 15m, 2h, 1d.")


class TransferIn(PointsIn):
    to: Text | dict[Text, Text]


class AdjustIn(Schema):
    model_config = ConfigDict(extra="forbid")

    points: int = Field(description="Below 0 takes points.", ge=-100_000_000, le=100_000_000)
    reason: Annotated[str, AfterValidator(storable)] = Field(min_length=1, max_length=500)
    wallet: Text | None = None
    program: Text | None = None
