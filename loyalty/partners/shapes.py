"""What the calls of partners take and answer."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ninja import Field, Schema
from pydantic import AwareDatetime, ConfigDict

from loyalty.partners.foreign import BATCH


class Asked(Schema):
    """Whom a partner asks for."""

    model_config = ConfigDict(extra="forbid")

    customer: dict[str, str] = Field(description='One of the identities of the contract, such as {"card": "..."}.')


class EnrollIn(Schema):
    """Somebody whom a partner brings into the program."""

    model_config = ConfigDict(extra="forbid")

    number: str = Field(min_length=1, max_length=150, description="The partner's own number of the customer.")
    card: str | None = Field(None, max_length=200)
    fields: dict[str, Any] = Field({}, description="email, phone, first_name, last_name, ...")


class PersonOut(Schema):
    enrolled: bool = Field(description="The partner itself brought this person into the program.")
    consented: bool = Field(description="The person agreed that the partner gets their data.")
    fields: dict[str, Any] = Field(description="What the contract lets the partner see of this person; noted.")


class PartnerOut(Schema):
    key: str
    name: dict[str, str]
    state: str
    stores: list[str]
    rates: list[dict[str, Any]]
    contract: dict[str, Any]
    unbilled: Decimal = Field(description="Owed by the partner (over 0) or to it, not on a statement yet.")
    billed: Decimal = Field(description="The same on statements, less payments.")
    currency: str


class TradeOut(Schema):
    status: str = Field(description="committed, duplicate (booked before, nothing changed) or simulated")
    id: str
    kind: str
    amount: Decimal | None
    points: int
    earned: list[dict[str, Any]]
    spent: dict[str, int]
    reversed: dict[str, int]
    refunded: dict[str, int]
    member: dict[str, Any] = Field(description="Balance and tier, where the contract opens them.")


class StatementOut(Schema):
    number: str
    month: date
    lines: list[dict[str, Any]]
    net: Decimal
    tax: Decimal
    gross: Decimal = Field(description="Over 0 the partner owes it, below 0 it gets it.")
    paid: Decimal
    currency: str
    made_at: datetime


class StatementsOut(Schema):
    statements: list[StatementOut]


class PassOnIn(Schema):
    """What a member decided about their data and a partner."""

    model_config = ConfigDict(extra="forbid")

    granted: bool
    source: str = Field(max_length=200)
    text_version: str | None = Field(None, max_length=200)
    at: AwareDatetime | None = None


class AccountsIn(Schema):
    """Balances as a foreign program tells them."""

    model_config = ConfigDict(extra="forbid")

    accounts: list[Any] = Field(max_length=BATCH, description="{number, balance, as_of?, customer?}")
