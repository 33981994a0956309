"""What the calls of tills take and answer."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ninja import Field, Schema
from pydantic import AwareDatetime, ConfigDict

from loyalty.program.shapes import LARGEST_BATCH, Balance, Outcome, Rejected


class IdentifyIn(Schema):
    """One key or several: the first that leads to somebody counts, in this order."""

    model_config = ConfigDict(extra="forbid")

    qr: str | None = Field(None, description="What was scanned from a phone: a code of ours, or a card number.")
    card: str | None = None
    external_id: str | None = None
    phone: str | None = None
    email: str | None = None
    program: str | None = None


class IdentifyOut(Schema):
    program: str
    customer: str | None = Field(description="The external id; null for a card that nobody has given a name yet.")
    reference: dict[str, str] = Field(description="Pass it on as `customer` of a transaction.")
    identified_by: str
    conflicts: dict[str, str] = Field(description="Keys given beside that belong to somebody else.")
    first_name: str | None
    locale: str | None
    member: int | None
    state: str
    tier: dict[str, Any] | None
    balances: list[Balance]
    card: str | None
    vouchers: list[dict[str, Any]]


class SaleOut(Outcome):
    """The outcome in the ledger, and what vouchers and offers did to the price."""

    status: str = Field(
        description="committed, duplicate (booked before, nothing changed), simulated, or unmatched (to be claimed)"
    )
    discount: Decimal | None = None
    to_pay: Decimal | None = Field(None, description="After discounts and gift cards; null where no vouchers are used.")
    vouchers: dict[str, Any] | None = Field(None, description="As loyalty/vouchers/validate answers.")
    vouchers_restored: bool = Field(False, description="A return after which the vouchers can be used again.")
    recommendations: list[dict[str, Any]] = []
    pin_needed: bool = Field(False, description="Simulated only: so many points ask for the member's `pin`.")
    claim_code: str | None = Field(None, description="To print: who has it can claim the receipt.")


class HeldOut(Schema):
    reservation: str
    id: str
    status: str = Field(description="reserved, or duplicate (held before, nothing changed)")
    ends_at: datetime
    to_pay: Decimal | None
    discount: Decimal | None
    vouchers: dict[str, Any] | None
    balances: list[Balance]


class ReleaseIn(Schema):
    model_config = ConfigDict(extra="forbid")

    reservation: str


class ReleaseOut(Schema):
    reservation: str
    status: str = Field(description="released, or over (it was before)")


class QueueIn(Schema):
    model_config = ConfigDict(extra="forbid")

    transactions: list[Any] = Field(description="As for commit, each checked by itself.", max_length=LARGEST_BATCH)
    program: str | None = None
    sent_at: AwareDatetime | None = Field(
        None, description="The till's clock as it sends; what it goes wrong is added to the times of its purchases."
    )


class KeptOut(Schema):
    index: int
    claim_code: str


class QueueOut(Schema):
    accepted: int
    duplicates: int
    rejected: list[Rejected]
    receipts: list[KeptOut] = Field([], description="Those without a customer, with the codes to claim them.")


class ClaimIn(Schema):
    """Either the code, or number, day and amount of the receipt."""

    model_config = ConfigDict(extra="forbid")

    customer: str | dict[str, str]
    program: str | None = None
    code: str | None = None
    number: str | None = None
    day: date | None = None
    amount: Decimal | None = Field(None, ge=0, max_digits=14, decimal_places=2)
    store: str | None = None
