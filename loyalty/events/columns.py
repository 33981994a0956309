"""Pure: stacked columns as the coordinates of a picture, drawn by a template as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 960, 180
GAP = 0.2


@dataclass(frozen=True, slots=True)
class Piece:
    """One rectangle; `series` chooses its color, `label` is read out and shown under the pointer."""

    x: float
    y: float
    width: float
    height: float
    series: int
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A label below a column."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Columns:
    """The picture; `top` is the value that its full height stands for."""

    width: int
    height: int
    top: int
    pieces: list[Piece]
    marks: list[Mark]


def columns(labels: Sequence[str], series: Sequence[tuple[str, Sequence[int]]], *, marks: int = 8) -> Columns:
    """Columns of the series on top of each other, about `marks` of the labels below; empty series draw nothing."""
    sums = [sum(values[place] for _, values in series) for place in range(len(labels))]
    top = _round_up(max(sums, default=0))
    step = WIDTH / max(len(labels), 1)
    pieces: list[Piece] = []
    for place, label in enumerate(labels):
        y = float(HEIGHT)
        for number, (name, values) in enumerate(series):
            if values[place]:
                height = max(values[place] * HEIGHT / top, 1.0)
                y -= height
                told = f"{label}: {name} {values[place]:,}"
                pieces.append(
                    Piece(
                        _cut(place * step + step * GAP / 2), _cut(y), _cut(step * (1 - GAP)), _cut(height), number, told
                    )
                )
    every = max(1, -(-len(labels) // marks))
    shown = [Mark(_cut((place + 0.5) * step), labels[place]) for place in range(every // 2, len(labels), every)]
    return Columns(WIDTH, HEIGHT, top, pieces, shown)


def _round_up(value: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ... that is no less."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power >= value:
                return digit * power
        power *= 10


def _cut(value: float) -> float:
    return round(value, 2)
