"""Where boxes of the graph and the line of a size stand."""

from hypothesis import given
from hypothesis import strategies as st

from campaigns.segments.drawing import BOX_HEIGHT, BOX_WIDTH, GAP_X, HEIGHT, MARGIN, around, graph, sizes

NODES = st.sampled_from("abcdefgh")


def test_what_is_used_stands_left_of_what_uses_it() -> None:
    drawn = graph({("a", "b"), ("b", "c"), ("a", "c")})
    assert [(box.id, box.x) for box in drawn.boxes] == [
        ("a", MARGIN),
        ("b", MARGIN + BOX_WIDTH + GAP_X),
        ("c", MARGIN + 2 * (BOX_WIDTH + GAP_X)),
    ]
    assert [(line.source, line.target) for line in drawn.lines] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert (drawn.width, drawn.height) == (2 * MARGIN + 3 * BOX_WIDTH + 2 * GAP_X, 2 * MARGIN + BOX_HEIGHT)


@given(st.sets(st.tuples(NODES, NODES), max_size=20))
def test_any_graph_is_drawn_without_boxes_upon_each_other(edges: set[tuple[str, str]]) -> None:
    drawn = graph(edges)
    assert {box.id for box in drawn.boxes} == {node for edge in edges for node in edge}
    assert len({(box.x, box.y) for box in drawn.boxes}) == len(drawn.boxes)
    assert len(drawn.lines) == len(edges)


def test_only_what_hangs_together() -> None:
    edges = {("a", "b"), ("b", "c"), ("x", "b"), ("y", "z"), ("x", "w")}
    assert around(edges, "b") == {"a", "b", "c", "x"}
    assert around(edges, "y") == {"y", "z"}
    assert around(edges, "alone") == {"alone"}


def test_a_size_holds_until_the_next_one() -> None:
    chart = sizes([(0, 5), (50, 10)], start=0, end=100)
    assert chart is not None
    assert chart.line == "M0.0,100.0 L500.0,100.0 L500.0,0.0 L1000,0.0"
    assert chart.area == f"{chart.line} L1000,{HEIGHT} L0.0,{HEIGHT} Z"
    assert chart.ticks == (10, 5, 0)


def test_no_points_no_chart() -> None:
    assert sizes([], start=0, end=1) is None
    assert sizes([(1, 1)], start=1, end=1) is None


@given(st.integers(0, 10**9))
def test_the_axis_ends_at_a_round_even_number(most: int) -> None:
    chart = sizes([(0, most)], start=0, end=1)
    assert chart is not None
    top, half, zero = chart.ticks
    assert (top >= most, top <= max(2, 2 * most), half * 2, zero) == (True, True, top, 0)
