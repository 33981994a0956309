"""Attempts at a challenge begin: by joining, by a flow, or with the first event that counts."""

from collections.abc import Collection
from datetime import datetime


def join(key: str, *, customer_ids: Collection[int], now: datetime) -> int:
    """Let these people take up a challenge; how many began. Who is at it already, or had it as often as is possible,
    is left out. Raises Problems for a challenge that is unknown, paused or over."""
    raise NotImplementedError
