"""Pure: a wheel of fortune as a picture: fields as wide as the odds, and how far it has to be turned."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

# A field narrower than this share of the wheel could not be seen.
NARROWEST = 0.03
RADIUS = 96


@dataclass(frozen=True, slots=True)
class Field:
    """One field: the prize's key (None for no prize), its angles in degrees clockwise from the top, its color (1 to 6,
    0 for no prize), its outline as an SVG path around (0, 0), and where its number stands."""

    key: str | None
    start: float
    end: float
    color: int
    path: str
    number: int
    at: tuple[float, float]

    @property
    def middle(self) -> float:
        return (self.start + self.end) / 2

    @property
    def wide(self) -> bool:
        """Whether there is room for its number."""
        return self.end - self.start >= 12


def fields(odds: Sequence[tuple[str, float]]) -> list[Field]:
    """The wheel of these prizes; what is left of 1 lies between them, in equal parts, as fields without a prize."""
    if not odds:
        return []
    nothing = max(0.0, 1 - sum(chance for _, chance in odds))
    gap = nothing / len(odds)
    widths: list[tuple[str | None, float, int]] = []
    for number, (prize, chance) in enumerate(odds, 1):
        widths.append((prize, max(chance, NARROWEST), number))
        if gap > 1e-9:
            widths.append((None, max(gap, NARROWEST), 0))
    whole, reached, found = sum(width for _, width, _ in widths), 0.0, []
    for key, width, number in widths:
        start, reached = reached, reached + 360 * width / whole
        found.append(_field(key, start, reached, number))
    return found


def _point(angle: float, radius: float) -> tuple[float, float]:
    return round(radius * sin(angle * pi / 180), 2), round(-radius * cos(angle * pi / 180), 2)


def _field(key: str | None, start: float, end: float, number: int) -> Field:
    (x1, y1), (x2, y2) = _point(start, RADIUS), _point(min(end, start + 359.99), RADIUS)
    large = int(end - start > 180)
    path = f"M0 0L{x1} {y1}A{RADIUS} {RADIUS} 0 {large} 1 {x2} {y2}Z"
    color = (number - 1) % 6 + 1 if number else 0
    return Field(key, start, end, color, path, number, _point((start + end) / 2, RADIUS * 0.7))


def turned_to(found: Sequence[Field], key: str | None, play: int) -> float:
    """How far the wheel is turned so that the pointer at the top shows the prize; `play` picks one of several that are
    the same."""
    fitting = [one for one in found if one.key == key] or list(found)
    if not fitting:
        return 0.0
    return round(360 - fitting[play % len(fitting)].middle, 2)
