"""What the calls about paid memberships take and answer."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import AwareDatetime, ConfigDict, StringConstraints

from loyalty.kit.problems import STORABLE
from loyalty.subscriptions.models import Charge, Subscription

Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=STORABLE)]
Reason = Annotated[str, StringConstraints(max_length=500, pattern=STORABLE)]
State = Literal["ordered", "trial", "active", "past_due", "cancelled", "ended", "withdrawn"]
Whole = Annotated[int, Field(ge=0, le=2**63 - 1)]


class PlanOut(Schema):
    key: str
    name: dict[str, str]
    state: str
    fee: Decimal
    currency: str
    per: str
    trial: int
    benefits: list[str] = Field(description="One sentence each, in the language of the request.")


class PlansOut(Schema):
    plans: list[PlanOut]


class SubscriptionIn(Schema):
    """`id` makes the order happen once. `early_start`: the member asked for it, and knows what a withdrawal costs."""

    model_config = ConfigDict(extra="forbid")

    id: Text | None = None
    customer: Text | dict[str, str] = Field(description='External id, or one identity such as {"email": "..."}.')
    plan: Text
    early_start: bool = False


class SubscriptionOut(Schema):
    number: str
    plan: str
    state: str
    fee: Decimal
    currency: str
    months: int = Field(description="Months of a paid period: 1 or 12.")
    ordered_at: datetime
    withdraw_until: datetime
    trial_ends_at: datetime | None
    first_term_ends_at: datetime
    term_ends_at: datetime
    cancelled_at: datetime | None
    ends_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    past_due_since: datetime | None
    offered_fee: Decimal | None


class SubscriptionsOut(Schema):
    subscriptions: list[SubscriptionOut]
    next: int | None


class SubscriptionsQuery(Schema):
    customer: Text | None = None
    plan: Text | None = None
    state: State | None = None
    after: Whole = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class EndIn(Schema):
    model_config = ConfigDict(extra="forbid")

    wished_end: date | None = Field(None, description="The last day, if later than the earliest one.")


class EndOut(Schema):
    number: str
    state: str
    ends_at: datetime | None


class ChargeOut(Schema):
    id: int
    contract: str
    kind: str
    state: str
    amount: Decimal
    currency: str
    due_at: datetime
    period_start: datetime
    period_end: datetime
    attempts: int
    paid_at: datetime | None
    reference: str | None
    reason: str | None


class ChargesOut(Schema):
    charges: list[ChargeOut]
    next: int | None


class ChargesQuery(Schema):
    state: Literal["due", "failed", "open", "paid", "void"] = "open"
    after: Whole = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class PaidIn(Schema):
    """The same `reference` is one payment."""

    model_config = ConfigDict(extra="forbid")

    reference: Text
    at: AwareDatetime | None = None


class FailedIn(Schema):
    """The same `reference` is one attempt."""

    model_config = ConfigDict(extra="forbid")

    reference: Text
    reason: Reason = ""


class ReportedOut(Schema):
    charge: ChargeOut
    contract_state: str
    fresh: bool = Field(description="False when it was told before.")


class SavingOut(Schema):
    number: str
    paid: Decimal
    points: int
    points_worth: Decimal
    vouchers: int
    vouchers_worth: Decimal
    others: Decimal
    worth: Decimal
    saved: Decimal


def contract_out(one: Subscription) -> dict[str, Any]:
    """A contract as it is answered."""
    fields = [name for name in SubscriptionOut.model_fields if name != "plan"]
    return {name: getattr(one, name) for name in fields} | {"plan": one.plan.key}


def charge_out(one: Charge, number: str) -> dict[str, Any]:
    """A charge as it is answered."""
    fields = [name for name in ChargeOut.model_fields if name != "contract"]
    return {name: getattr(one, name) for name in fields} | {"contract": number}
