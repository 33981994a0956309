"""Pure: where boxes and lines of the graph of segments stand, and the line of a segment's size."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

BOX_WIDTH, BOX_HEIGHT = 220, 52
GAP_X, GAP_Y = 72, 18
MARGIN = 12
# What a chart is drawn in; the page stretches it.
WIDTH, HEIGHT = 1000, 200


@dataclass(frozen=True, slots=True)
class Box:
    """A node and its upper left corner in pixels."""

    id: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line from what is used to what uses it, as an SVG path."""

    source: str
    target: str
    path: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """All boxes and lines, and the size of the whole."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: float
    height: float


def around(edges: Collection[tuple[str, str]], start: str) -> set[str]:
    """What `start` uses and what uses it, through others too, and itself."""
    found = {start}
    for here, there in ((0, 1), (1, 0)):
        waiting = {start}
        while waiting:
            waiting = {edge[there] for edge in edges if edge[here] in waiting} - found
            found |= waiting
    return found


def graph(edges: Collection[tuple[str, str]]) -> Drawing:
    """Lay out (used, user) pairs from left to right: each node one column behind the last of what it uses."""
    columns = _columns(edges)
    rows: dict[int, list[str]] = {}
    for node in sorted(columns):
        rows.setdefault(columns[node], []).append(node)
    places: dict[str, tuple[float, float]] = {}
    used: dict[str, list[str]] = {}
    for source, target in sorted(edges):
        used.setdefault(target, []).append(source)
    for column in sorted(rows):
        # Beside the middle of what it uses, so that fewer lines cross.
        order = sorted(rows[column], key=lambda node: (_middle(used.get(node, ()), places), node))
        for row, node in enumerate(order):
            places[node] = (MARGIN + column * (BOX_WIDTH + GAP_X), MARGIN + row * (BOX_HEIGHT + GAP_Y))
    boxes = tuple(Box(node, *places[node]) for node in sorted(places))
    lines = tuple(Line(*edge, _curve(places[edge[0]], places[edge[1]])) for edge in sorted(edges))
    width = max((box.x for box in boxes), default=0) + BOX_WIDTH + MARGIN
    height = max((box.y for box in boxes), default=0) + BOX_HEIGHT + MARGIN
    return Drawing(boxes, lines, width, height)


def _columns(edges: Collection[tuple[str, str]]) -> dict[str, int]:
    """The length of the longest way to each node; a circle, which saving refuses, ends where it was entered."""
    used: dict[str, list[str]] = {}
    for source, target in edges:
        used.setdefault(target, []).append(source)
        used.setdefault(source, [])
    found: dict[str, int] = {}
    for start in sorted(used):
        stack = [start]
        entered: set[str] = set()
        while stack:
            node = stack[-1]
            waiting = [one for one in used[node] if one not in found and one not in entered]
            entered.add(node)
            if waiting:
                stack.append(waiting[0])
                continue
            stack.pop()
            found.setdefault(node, max((found[one] + 1 for one in used[node] if one in found), default=0))
    return found


def _middle(nodes: Collection[str], places: Mapping[str, tuple[float, float]]) -> float:
    known = [places[node][1] for node in nodes if node in places]
    return sum(known) / len(known) if known else 0.0


def _curve(source: tuple[float, float], target: tuple[float, float]) -> str:
    x1, y1 = source[0] + BOX_WIDTH, source[1] + BOX_HEIGHT / 2
    x2, y2 = target[0] - 6, target[1] + BOX_HEIGHT / 2
    bend = max((x2 - x1) / 2, GAP_X / 2)
    return f"M{x1:g},{y1:g} C{x1 + bend:g},{y1:g} {x2 - bend:g},{y2:g} {x2:g},{y2:g}"


@dataclass(frozen=True, slots=True)
class SizeChart:
    """The line of a size over time, the area below it, and the numbers beside the axis from the top down."""

    line: str
    area: str
    ticks: tuple[int, ...]


def sizes(points: Sequence[tuple[float, int]], *, start: float, end: float) -> SizeChart | None:
    """A step line of (instant, members) from `start` to `end`: a size holds until the next one is known."""
    if not points or end <= start:
        return None
    top = _top(max(members for _at, members in points))
    steps: list[str] = []
    last = 0.0
    for number, (at, members) in enumerate(points):
        x = WIDTH * (min(max(at, start), end) - start) / (end - start)
        y = HEIGHT - HEIGHT * members / top
        steps.append(f"M{x:.1f},{y:.1f}" if number == 0 else f"L{x:.1f},{last:.1f} L{x:.1f},{y:.1f}")
        last = y
    line = " ".join([*steps, f"L{WIDTH},{last:.1f}"])
    first = steps[0][1:].split(",")[0]
    return SizeChart(line, f"{line} L{WIDTH},{HEIGHT} L{first},{HEIGHT} Z", (top, top // 2, 0))


def _top(most: int) -> int:
    """A round even number that is not below `most`."""
    step = 1
    while True:
        for factor in (2, 4, 6, 8, 10):
            if factor * step >= most:
                return factor * step
        step *= 10
