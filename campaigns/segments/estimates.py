"""Pure: what a count among some customers, drawn at random, says about all."""

from dataclasses import dataclass
from math import ceil, floor, sqrt

# 95 of 100 intervals of this width hold the true count.
_Z = 1.96


@dataclass(frozen=True, slots=True)
class Estimate:
    """About how many customers, and the interval that holds the true count in 95 of 100 cases."""

    count: int
    low: int
    high: int

    @property
    def exact(self) -> bool:
        """Whether the count is known, not estimated."""
        return self.low == self.high


def known(count: int) -> Estimate:
    """A count of everybody."""
    return Estimate(count, count, count)


def estimate(hits: int, looked_at: int, total: int) -> Estimate:
    """The count among `total` customers, when `hits` of `looked_at` different ones matched (Wilson's interval, narrowed
    by how many of all were looked at). Nobody looked at says nothing: the interval is everything.
    """
    if looked_at >= total:
        return known(hits)
    if looked_at == 0:
        return Estimate(0, 0, total)
    share = hits / looked_at
    # Drawing without putting back: what was seen is certain, so the interval shrinks with the part not seen.
    z = _Z * sqrt((total - looked_at) / max(total - 1, 1))
    scale = 1 + z * z / looked_at
    middle = (share + z * z / (2 * looked_at)) / scale
    half = z / scale * sqrt(share * (1 - share) / looked_at + z * z / (4 * looked_at * looked_at))
    count = round(share * total)
    most = total - (looked_at - hits)
    low = max(hits, floor((middle - half) * total))
    high = min(most, ceil((middle + half) * total))
    return Estimate(min(max(count, low), high), low, high)
