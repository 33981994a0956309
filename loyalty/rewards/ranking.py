"""Pure: in which order somebody sees the rewards, and the reason, which is shown.

First what they wish for; then what goes with what they buy and chose before, nearer to what they can afford first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WISH, AFFINITY, REACHABLE, NEAR, FEATURED, OTHER = "wish", "affinity", "reachable", "near", "featured", "other"
# From so much of the price on it is near.
NEAR_FROM = 0.75
# What counts how much; affinity and reach are between 0 and 1.
_WISH, _AFFINITY, _REACH, _FEATURED, _UNAVAILABLE = 10.0, 2.0, 1.0, 0.5, 5.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What counts for the place of one reward."""

    words: Sequence[str]
    points: int
    available: int
    wished: bool = False
    featured: bool = False
    obtainable: bool = True
    position: int = 100


@dataclass(frozen=True, slots=True)
class Ranked:
    """The higher the score the further up; `about` is the word that the affinity is about."""

    score: float
    reason: str
    about: str = ""


def affinity(words: Sequence[str], taste: Mapping[str, int]) -> tuple[float, str]:
    """How much of what somebody buys and chooses goes with the reward (0 to 1), and the word that most of it is."""
    most = max(taste.values(), default=0)
    shares = [(taste.get(word.casefold(), 0) / most, word) for word in words] if most else []
    best = max(shares, default=(0.0, ""), key=lambda one: one[0])
    return best if best[0] else (0.0, "")


def reach(points: int, available: int) -> float:
    """How much of the price is there: 1 is all of it."""
    return 1.0 if points <= available else max(0, available) / points


def rank(facts: Facts, taste: Mapping[str, int]) -> Ranked:
    """The place of a reward for somebody, and why it stands there."""
    liked, about = affinity(facts.words, taste)
    near = reach(facts.points, facts.available)
    score = (
        _WISH * facts.wished
        + _AFFINITY * liked
        + _REACH * near
        + _FEATURED * facts.featured
        - _UNAVAILABLE * (not facts.obtainable)
        - facts.position / 100_000
    )
    if facts.wished:
        return Ranked(score, WISH)
    if liked >= 0.25:
        return Ranked(score, AFFINITY, about)
    if facts.featured:
        return Ranked(score, FEATURED)
    if near >= 1:
        return Ranked(score, REACHABLE)
    return Ranked(score, NEAR if near >= NEAR_FROM else OTHER)
