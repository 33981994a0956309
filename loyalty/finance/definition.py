"""Pure: what the document `valuation` says."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from loyalty.kit.periods import Period
from loyalty.program.definition import Elapsed, Strict

Account = Annotated[str, StringConstraints(min_length=1, max_length=50, strip_whitespace=True)]
Cost = Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=6)]


class Breakage(Strict):
    """Which part of the points will never be spent. `history`: as the program's own past shows; `fixed`: `rate`
    percent; `none`: all will be.

    `tail` is for ages that the program has not lived through: `redeem` counts on every point being spent, `trend` on
    what the last six months of the curve show.
    """

    method: Literal["history", "fixed", "none"] = "history"
    rate: Annotated[Decimal, Field(ge=0, le=100)] = Decimal(0)
    tail: Literal["redeem", "trend"] = "redeem"


class Accounts(Strict):
    """The accounts of your bookkeeping."""

    liability: Account = "points-liability"
    issue: Account = "points-issued"
    redemption: Account = "points-redeemed"
    breakage: Account = "points-breakage"
    correction: Account = "points-correction"


class ValuationDocument(Strict):
    """How a program's points are valued; the key is the program's. `costs`: what a point costs when it is spent, by
    wallet; unset, it is the wallet's value. Wallets that cost nothing are not valued."""

    kind: Literal["valuation"] = "valuation"
    key: str = ""
    costs: dict[str, Cost] = {}
    breakage: Breakage = Breakage()
    accounts: Accounts = Accounts()
    close_after: Elapsed = "3d"

    @property
    def close_seconds(self) -> int:
        """How long after its end a month is closed."""
        return Period.parse(self.close_after).seconds or 0
