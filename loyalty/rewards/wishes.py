"""The one reward that a member saves points for."""

from datetime import datetime

from loyalty.program.setup import Setup


def set_wish(*, customer_id: int, reward: str, setup: Setup, now: datetime) -> None:
    """Wish for this reward instead of another; raises Problems for one that the customer cannot see."""
    raise NotImplementedError


def clear_wish(*, customer_id: int, setup: Setup) -> bool:
    """Wish for nothing; whether there was a wish."""
    raise NotImplementedError
