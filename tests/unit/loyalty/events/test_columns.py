"""Stacked columns."""

from loyalty.events.columns import HEIGHT, WIDTH, Mark, Piece, columns


def test_series_stand_on_each_other() -> None:
    found = columns(["a", "b"], [("soon", [4, 0]), ("late", [6, 5])])
    assert found.top == 10
    assert found.pieces == [
        Piece(48.0, HEIGHT * 0.6, 384.0, HEIGHT * 0.4, 0, "a: soon 4"),
        Piece(48.0, 0.0, 384.0, HEIGHT * 0.6, 1, "a: late 6"),
        Piece(528.0, HEIGHT * 0.5, 384.0, HEIGHT * 0.5, 1, "b: late 5"),
    ]
    assert found.marks == [Mark(WIDTH / 4, "a"), Mark(WIDTH * 3 / 4, "b")]


def test_nothing_draws_nothing() -> None:
    assert columns([], []).pieces == []
    assert columns(["a"], [("soon", [0])]).pieces == []
