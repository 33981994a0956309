"""Pure: what the document `plan` says."""

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from loyalty.kit.periods import Period
from loyalty.program.definition import KEY, Elapsed, Names, Strict

# § 309 no. 9 of the German civil code: no first term over two years, no notice over a month, and after the first term
# the contract is open-ended.
LONGEST_TERM, LONGEST_NOTICE = 24, 31

Amount = Annotated[Decimal, Field(gt=0, max_digits=10, decimal_places=2)]


def _notice(text: str) -> str:
    if (Period.parse(text).seconds or 0) > LONGEST_NOTICE * 86_400:
        raise ValueError(f"{text!r} is longer than a month: write at most {LONGEST_NOTICE}d")
    return text


class Fee(Strict):
    """What it costs, per month or per year; the amount is what consumers pay, with every tax in it."""

    amount: Amount
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = ""
    per: Literal["month", "year"] = "month"

    @property
    def months(self) -> int:
        return 12 if self.per == "year" else 1


class Pool(Strict):
    """Vouchers of a pool, every month or every paid period."""

    pool: str
    count: Annotated[int, Field(gt=0, le=20)] = 1
    per: Literal["month", "period"] = "period"


class Benefits(Strict):
    """What members get: a tier while they pay, points every month, vouchers, and texts about everything else.

    `worth` is what all that cannot be counted (free delivery, say) is worth in a month, for the saving statement.
    """

    tier: str | None = None
    points: Annotated[int, Field(gt=0, le=1_000_000)] | None = None
    wallet: str | None = None
    vouchers: Annotated[list[Pool], Field(max_length=5)] = []
    texts: Annotated[list[Names], Field(max_length=12)] = []
    worth: Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=2)] = Decimal(0)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.wallet and not self.points:
            raise ValueError("wallet: only points have one")
        return self


class PlanDocument(Strict):
    """A paid membership.

    `term` is how many months the first term lasts (0: none, it can be ended at any time from the start), `notice` how
    long before its end it must be cancelled, and how long it runs on when it is cancelled later. `remind`: how long
    before a fee of a year, or the end of the first term, members are told. `grace`: how long benefits go on when a
    payment is missing; after `end_unpaid` the contract ends.
    """

    kind: Literal["plan"] = "plan"
    key: Annotated[str, Field(pattern=KEY.pattern, max_length=50)]
    program: str | None = None
    state: Literal["active", "paused"] = "active"
    name: Names = {}
    text: Names = {}
    fee: Fee
    trial: Annotated[int, Field(ge=0, le=365)] = 0
    term: Annotated[int, Field(ge=0, le=LONGEST_TERM)] = 0
    notice: Annotated[Elapsed, AfterValidator(_notice)] = "30d"
    remind: Elapsed = "30d"
    grace: Elapsed = "14d"
    end_unpaid: Elapsed = "60d"
    benefits: Benefits = Benefits()
    seller: Annotated[str, Field(max_length=1_000)] = ""
    conditions: Names = {}
    withdrawal: Names = {}
    position: Annotated[int, Field(ge=0, le=30_000)] = 100

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.fee.per == "year" and self.term % 12:
            raise ValueError("term: a first term of a yearly fee is a number of whole years: write 12 or 24")
        if self.seconds("end_unpaid") < self.seconds("grace"):
            raise ValueError("end_unpaid: is shorter than grace")
        return self

    def seconds(self, field: str) -> int:
        """A length of time in seconds."""
        return Period.parse(getattr(self, field)).seconds or 0

    def as_plain(self) -> dict[str, Any]:
        """The document as it is stored; amounts of money as texts, so that no digit is lost."""
        plain = self.plain()
        plain["fee"] = {**plain["fee"], "amount": str(self.fee.amount)}
        return plain
