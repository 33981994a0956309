"""Pure: how likely people of a band are to reach their target and to use a size, learned from rounds before, and what a
size is expected to bring.

For each band and size: `reach` = (prior x weight + people who reached it) / (weight + people), by those who had the
size; `base` the same by those held out; `redeem` likewise by who used the offer. What a size brings beside giving
nothing: (reach - base) x margin of the target - redeem x cost of the size.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from loyalty.offers.definition import Personal

# Rounds looked back at: what people did years ago says little.
ROUNDS = 12


@dataclass(frozen=True, slots=True)
class Rate:
    """The chances of one band and size (`step` from 1), between 0 and 1; `people` had it, `others` were held out."""

    band: int
    step: int
    size: float
    reach: float
    redeem: float
    base: float
    people: int
    others: int

    def plain(self) -> dict[str, Any]:
        """As it is stored with the round."""
        return asdict(self)


def learned(personal: Personal, outcomes: Iterable[Sequence[Mapping[str, Any]]]) -> list[Rate]:
    """The rates of every band and size from the outcomes of rounds; sizes count by what they were then."""
    had: dict[tuple[int, float], list[int]] = {}
    without: dict[int, list[int]] = {}
    for outcome in outcomes:
        for cell in outcome:
            if cell["held_out"]:
                sums = without.setdefault(cell["band"], [0, 0])
                sums[0] += cell["people"]
                sums[1] += cell["reached"]
            elif cell["size"] is not None:
                found = had.setdefault((cell["band"], float(cell["size"])), [0, 0, 0])
                found[0] += cell["people"]
                found[1] += cell["reached"]
                found[2] += cell["redeemers"]
    prior = personal.prior
    weight, base_prior = prior.weight, float(prior.rate) / 100
    rates = []
    for band in range(len(personal.bands) + 1):
        others, reached_alone = without.get(band, [0, 0])
        base = (base_prior * weight + reached_alone) / (weight + others)
        for step, size in enumerate(personal.sizes, 1):
            people, reached, redeemed = had.get((band, float(size)), [0, 0, 0])
            believed = min(0.95, base_prior + step * float(prior.lift) / 100)
            rates.append(
                Rate(
                    band,
                    step,
                    float(size),
                    round((believed * weight + reached) / (weight + people), 6),
                    round((believed * weight + redeemed) / (weight + people), 6),
                    round(base, 6),
                    people,
                    others,
                )
            )
    return rates


def expected(rate: Mapping[str, Any], *, margin: float, cost: float) -> float:
    """What the size is expected to bring beside giving nothing; the twin of the SQL that chooses."""
    return (rate["reach"] - rate["base"]) * margin - rate["redeem"] * cost


def band_name(bands: Sequence[float], band: int) -> tuple[float | None, float | None]:
    """(from, to) of a band's usual purchase."""
    return (bands[band - 1] if band else None, bands[band] if band < len(bands) else None)
