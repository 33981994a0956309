"""Pure: where the boxes and lines of a flow stand when it is drawn. Layered from top to bottom, no library needed.

A step stands one layer below its lowest predecessor; ways back (loops) run along the right edge.
"""

from collections.abc import Sequence
from dataclasses import dataclass

BOX_WIDTH, BOX_HEIGHT = 240, 84
GAP_X, GAP_Y = 48, 60
MARGIN = 16
# Room for labels left of the first way out.
LABELS = 84
LOOP_SPACE = 56


@dataclass(frozen=True, slots=True)
class Box:
    """A step's box: its number (0 = the end) and its upper left corner in pixels."""

    number: int
    x: float
    y: float

    @property
    def width(self) -> int:
        return BOX_WIDTH

    @property
    def height(self) -> int:
        return BOX_HEIGHT


@dataclass(frozen=True, slots=True)
class Line:
    """A way from one step to the next: an SVG path, the exits that take it, and where their label stands."""

    source: int
    target: int
    exits: tuple[str, ...]
    path: str
    label_x: float
    label_y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """All boxes and lines, and the size of the whole."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: float
    height: float


def draw(nodes: Sequence[tuple[int, Sequence[tuple[str, int]]]]) -> Drawing:
    """Lay out steps given as (number, [(exit, target)]); the target 0 is the end, drawn once at the bottom."""
    ways = {number: list(exits) for number, exits in nodes}
    back = _back_edges(ways)
    layer = _layers(ways, back)
    rows: dict[int, list[int]] = {}
    for number in sorted(layer, key=lambda n: (layer[n], n)):
        rows.setdefault(layer[number], []).append(number)
    _untangle(rows, ways, back)
    widest = max(len(row) for row in rows.values())
    inner = widest * BOX_WIDTH + (widest - 1) * GAP_X
    boxes = {}
    for depth, row in rows.items():
        taken = len(row) * BOX_WIDTH + (len(row) - 1) * GAP_X
        for place, number in enumerate(row):
            x = MARGIN + LABELS + (inner - taken) / 2 + place * (BOX_WIDTH + GAP_X)
            boxes[number] = Box(number, x, MARGIN + depth * (BOX_HEIGHT + GAP_Y))
    lines = _lines(ways, back, boxes, right=MARGIN + LABELS + inner)
    height = 2 * MARGIN + len(rows) * BOX_HEIGHT + (len(rows) - 1) * GAP_Y
    width = 2 * (MARGIN + LABELS) + inner + (LOOP_SPACE if back or _long(ways, layer) else 0)
    return Drawing(tuple(boxes.values()), tuple(lines), width, height)


def _back_edges(ways: dict[int, list[tuple[str, int]]]) -> set[tuple[int, int]]:
    """The ways that lead back to a step still being walked (iterative depth-first search)."""
    back: set[tuple[int, int]] = set()
    state: dict[int, int] = {}
    for start in ways:
        if state.get(start):
            continue
        stack = [(start, 0)]
        state[start] = 1
        while stack:
            number, place = stack[-1]
            targets = [target for _, target in ways[number] if target]
            if place == len(targets):
                state[number] = 2
                stack.pop()
                continue
            stack[-1] = (number, place + 1)
            target = targets[place]
            if state.get(target) == 1:
                back.add((number, target))
            elif not state.get(target):
                state[target] = 1
                stack.append((target, 0))
    return back


def _layers(ways: dict[int, list[tuple[str, int]]], back: set[tuple[int, int]]) -> dict[int, int]:
    layer = dict.fromkeys(ways, 0)
    for _ in ways:
        moved = False
        for number, exits in ways.items():
            for _, target in exits:
                if target and (number, target) not in back and layer[target] <= layer[number]:
                    layer[target] = layer[number] + 1
                    moved = True
        if not moved:
            break
    if any(target == 0 for exits in ways.values() for _, target in exits):
        layer[0] = max(layer.values()) + 1
    return layer


def _untangle(rows: dict[int, list[int]], ways: dict[int, list[tuple[str, int]]], back: set[tuple[int, int]]) -> None:
    """Order each row by the mean place of its predecessors, which keeps most lines from crossing."""
    for depth in sorted(rows)[1:]:
        above = {number: place for place, number in enumerate(rows[depth - 1])}

        def wish(number: int, above: dict[int, int] = above) -> float:
            places = [
                above[source] + order / 10
                for source, exits in ways.items()
                for order, (_, target) in enumerate(exits)
                if target == number and source in above and (source, target) not in back
            ]
            return sum(places) / len(places) if places else 99.0

        rows[depth].sort(key=lambda number: (wish(number), number))


def _long(ways: dict[int, list[tuple[str, int]]], layer: dict[int, int]) -> bool:
    return any(
        layer[target] - layer[number] > 1 for number, exits in ways.items() for _, target in exits if target in layer
    )


def _lines(
    ways: dict[int, list[tuple[str, int]]], back: set[tuple[int, int]], boxes: dict[int, Box], *, right: float
) -> list[Line]:
    lines = []
    lane = 0
    for number, exits in ways.items():
        targets: dict[int, list[str]] = {}
        for name, target in exits:
            targets.setdefault(target, []).append(name)
        for place, (target, names) in enumerate(targets.items()):
            source, goal = boxes[number], boxes[target]
            x1 = source.x + BOX_WIDTH * (place + 1) / (len(targets) + 1)
            y1 = source.y + BOX_HEIGHT
            # The first of several ways has its label on the left, so that neighbors do not meet.
            anchor, beside = ("end", -8) if place == 0 and len(targets) > 1 else ("start", 8)
            straight = goal.y - y1 <= GAP_Y + 1 and (number, target) not in back
            if straight:
                x2, y2 = goal.x + BOX_WIDTH / 2, goal.y
                middle = (y1 + y2) / 2
                path = f"M{x1:.0f},{y1:.0f} C{x1:.0f},{middle:.0f} {x2:.0f},{middle:.0f} {x2:.0f},{y2:.0f}"
                lines.append(Line(number, target, tuple(names), path, x1 + beside, y1 + 20, anchor))
                continue
            lane = (lane + 1) % 4
            edge = right + 14 + lane * 10
            x2 = goal.x + BOX_WIDTH
            y2 = goal.y + BOX_HEIGHT / 2
            path = (
                f"M{x1:.0f},{y1:.0f} C{x1:.0f},{y1 + 26:.0f} {edge:.0f},{y1 + 8:.0f} {edge:.0f},{y1 + 40:.0f}"
                f" L{edge:.0f},{y2 + (-24 if y2 > y1 else 24):.0f} Q{edge:.0f},{y2:.0f} {x2:.0f},{y2:.0f}"
            )
            lines.append(Line(number, target, tuple(names), path, x1 + beside, y1 + 20, anchor))
    return lines
