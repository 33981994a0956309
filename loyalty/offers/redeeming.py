"""Vouchers and offers are used: looked at, held for a checkout, redeemed, let go, given back."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

LASTS = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Held:
    """A reservation: `answer` is what was said about the basket, `state` is names.RESERVED and so on.

    `repeated`: it was there before, nothing changed.
    """

    id: int
    token: UUID
    state: str
    ends_at: datetime
    answer: dict[str, Any]
    repeated: bool = False


def validate(basket: object, *, now: datetime) -> dict[str, Any]:
    """What the codes and the wallet would do to the basket (`baskets.Basket`), and why the others are refused."""
    raise NotImplementedError


def reserve(checkout: object, *, now: datetime, lasts: timedelta = LASTS) -> Held:
    """Hold what the basket (`baskets.Checkout`) can use, so that nobody else takes it; raises Problems."""
    raise NotImplementedError


def redeem(token: UUID, *, now: datetime, booking_id: int | None = None) -> Held:
    """Use what was reserved, for good; with the purchase's booking, points of offers are given on top of it.

    Again, it changes nothing. Raises Problems for a reservation that is unknown, let go or has run out.
    """
    raise NotImplementedError


def redeem_now(checkout: object, *, now: datetime, booking_id: int | None = None) -> Held:
    """Reserve and redeem at once."""
    raise NotImplementedError


def release(token: UUID, *, now: datetime) -> Held:
    """Let go of what was reserved; raises Problems for what is redeemed."""
    raise NotImplementedError


def give_back(token: UUID, *, now: datetime) -> Held:
    """The purchase came back whole: what `returned: restore` says can be used again, gift cards get their money."""
    raise NotImplementedError
