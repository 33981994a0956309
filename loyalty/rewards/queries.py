"""Reads: the shop as a member sees it, and what was redeemed."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from loyalty.program.setup import Setup


@dataclass(frozen=True, slots=True)
class Offered:
    """A reward as one customer sees it; texts by language. `left` is None without a limit.

    `missing` are the points that the cheapest price still needs (0: it can be had); `why_not` says in stable words why
    it cannot be redeemed now (empty: it can): points, stock, limit, later, over, tier, member.
    `reason` says in stable words why it stands where it does: wish, affinity, reachable, near, featured, other.
    """

    key: str
    type: str
    name: dict[str, str]
    text: dict[str, str]
    image: str | None
    categories: list[str]
    featured: bool
    prices: list[dict[str, Any]]
    wallet: str
    value: Decimal | None
    left: int | None
    most: int
    missing: int
    why_not: str
    reason: str
    about: str
    wished: bool
    slots: list[dict[str, Any]]


def shop(
    *, setup: Setup, now: datetime, customer_id: int | None = None, search: str = "", category: str = "",
    type_: str = "", affordable: bool = False,
) -> list[Offered]:  # fmt: skip
    """The rewards that this customer may see, the best for them first; without a customer, those open to everybody.

    A fixed number of queries.
    """
    raise NotImplementedError


def redemptions(
    *, customer_id: int | None = None, program_id: int | None = None, state: str | None = None,
    after: int | None = None, limit: int = 50,
) -> tuple[list[dict[str, Any]], int | None]:  # fmt: skip
    """Redemptions, newest first, with what they brought (codes, link, tracking), and the cursor of the next page."""
    raise NotImplementedError


def redemption(redemption_id: int) -> dict[str, Any] | None:
    """One redemption with its parts and its steps."""
    raise NotImplementedError


def wish_of(customer_id: int, *, setup: Setup, now: datetime) -> Offered | None:
    """What the customer saves for, with the points still missing."""
    raise NotImplementedError
