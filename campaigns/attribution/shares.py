"""Pure: parts that sum to exactly the whole.

Shares are counted in units of 1e-10, values in units of 1e-6, both as integers: each part is cut down, the last touch
takes what is left. `crediting` says the same in SQL.
"""

import math
from collections.abc import Sequence

SHARE_UNITS = 10**10
VALUE_UNITS = 10**6


def shares(weights: Sequence[float]) -> list[int]:
    """The units of each touch; they sum to SHARE_UNITS. Raises ValueError for weights that cannot be a method's."""
    total = math.fsum(weights)
    if not weights or not math.isfinite(total) or total <= 0 or min(weights) < 0:
        raise ValueError(f"weights {list(weights)!r} are no weights: none may be negative, one must be positive")
    cut = [math.floor(SHARE_UNITS * (weight / total)) for weight in weights[:-1]]
    return [*cut, SHARE_UNITS - sum(cut)]


def values(value_units: int, parts: Sequence[int]) -> list[int]:
    """How a value (in 1e-6) is split by shares; the parts sum to it."""
    cut = [math.trunc(value_units * (part / SHARE_UNITS)) for part in parts[:-1]]
    return [*cut, value_units - sum(cut)]
