"""Pure: what the documents `partner` and `foreign_program` say."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from loyalty.partners.contract import ABOUT_MEMBERSHIP, known_field
from loyalty.program.definition import Names, Strict

Text = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Price = Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=6)]
Percent = Annotated[Decimal, Field(ge=0, le=100, max_digits=5, decimal_places=2)]


class Rate(Strict):
    """From that day: what the partner pays for a point that its customers earn, what it gets for one they spend with
    it, and our fee in percent of the points earned."""

    start: Annotated[date, Field(alias="from")]
    earn: Price
    burn: Price
    fee: Percent = Decimal(0)


class Passed(Strict):
    """One field that the partner may see. `to`: of every member it serves (only what concerns the membership), of those
    who enrolled with it, or only of those who agreed that it gets their data."""

    field: str
    to: Literal["members", "enrolled", "consented"] = "enrolled"
    why: Names

    @model_validator(mode="after")
    def _allowed(self) -> "Passed":
        if not known_field(self.field):
            raise ValueError(f"field: nothing is called {self.field!r}; own attributes are written attributes.<key>")
        if self.to == "members" and self.field not in ABOUT_MEMBERSHIP:
            raise ValueError(f"to: {self.field} is personal: pass it on only for people who enrolled there or agreed")
        if not any(text.strip() for text in self.why.values()):
            raise ValueError("why: say what the partner needs it for")
        return self


class Contract(Strict):
    """Which data the partner gets, by which identities it may ask for people, and the essence of the agreement."""

    fields: list[Passed] = []
    identify: list[Literal["card", "partner", "email", "phone"]] = ["card", "partner"]
    agreement: Names = {}
    contact: str = ""

    @model_validator(mode="after")
    def _once(self) -> "Contract":
        names = [one.field for one in self.fields]
        if double := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"fields: {', '.join(double)} is listed twice")
        return self


class PartnerDocument(Strict):
    """A partner of the program: its shops, prices of points, and the data contract."""

    kind: Literal["partner"] = "partner"
    key: str
    program: str | None = None
    wallet: str | None = None
    name: Names = {}
    state: Literal["active", "ended"] = "active"
    stores: Annotated[list[Text], Field(max_length=5_000)] = []
    rates: Annotated[list[Rate], Field(min_length=1)]
    tax: Percent = Decimal(0)
    address: str = ""
    contract: Contract = Contract()

    @model_validator(mode="after")
    def _order(self) -> "PartnerDocument":
        days = [rate.start for rate in self.rates]
        if days != sorted(set(days)):
            raise ValueError("rates: each begins after the one before: put them in the order of their days")
        if len(set(self.stores)) < len(self.stores):
            raise ValueError("stores: one of them is listed twice")
        return self


class ForeignDocument(Strict):
    """A program of somebody else whose balances we mirror. `rate`: our points for one of theirs, when they move over;
    `worth`: what one of their points is worth to its owner, in our currency."""

    kind: Literal["foreign_program"] = "foreign_program"
    key: str
    program: str | None = None
    wallet: str | None = None
    name: Names = {}
    rate: Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=6)]
    worth: Price = Decimal(0)
    ends_on: date | None = None
