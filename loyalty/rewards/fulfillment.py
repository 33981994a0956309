"""What happens to redemptions after they were ordered: approved, packed, shipped, delivered, or cancelled."""

from collections.abc import Sequence
from datetime import datetime

from loyalty.rewards.shapes import Cancelled


def advance(
    redemption_ids: Sequence[int], *, state: str, now: datetime, actor: str | None = None, tracking: str | None = None
) -> int:
    """Bring these redemptions to the state; how many came there. Those it cannot follow on stay as they are."""
    raise NotImplementedError


def cancel(
    redemption_id: int, *, now: datetime, reason: str | None = None, actor: str | None = None, by_member: bool = False
) -> Cancelled:
    """Take a redemption back: its points return to the lots they came from, its pieces to the stock.

    Raises Problems when it is too late: for members once it is packed or delivered, for the staff never before the end.
    """
    raise NotImplementedError
