"""Redeeming: points, stock, an hour and a code are taken together or not at all."""

from collections.abc import Sequence
from datetime import datetime

from loyalty.program.setup import Setup
from loyalty.rewards.shapes import Gift, Order, Redeemed


def redeem(
    order: Order, *, customer_id: int, setup: Setup, now: datetime, source: str = "member", actor: str | None = None
) -> Redeemed:
    """Order a reward for points; raises Problems with everything that stands against it, and then nothing happened."""
    raise NotImplementedError


def give(gifts: Sequence[Gift], *, reward: str, now: datetime, source: str) -> dict[int, int]:
    """Give a reward as a gift (a prize) to any number of customers at once: customer -> redemption.

    Who got it under the same key before gets it no second time. When the stock ends, the rest gets nothing.
    """
    raise NotImplementedError
