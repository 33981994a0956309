"""Intervals of a count hold what they promise."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from campaigns.segments.estimates import Estimate, estimate, known


@given(st.integers(0, 10**9), st.data())
def test_an_estimate_lies_in_its_interval_and_the_interval_in_what_is_possible(total: int, data: st.DataObject) -> None:
    looked_at = data.draw(st.integers(0, total))
    hits = data.draw(st.integers(0, looked_at))
    found = estimate(hits, looked_at, total)
    assert hits <= found.low <= found.count <= found.high <= total - (looked_at - hits)


def test_known_values() -> None:
    assert estimate(0, 0, 100) == Estimate(0, 0, 100)
    assert estimate(7, 100, 100) == known(7)
    assert estimate(0, 10_000, 1_000_000) == Estimate(0, 0, 381)
    assert estimate(1_000, 10_000, 1_000_000) == Estimate(100_000, 94_300, 106_004)
    assert estimate(50, 100, 10**9) == Estimate(500_000_000, 403_829_833, 596_170_167)


def test_95_of_100_intervals_hold_the_truth() -> None:
    random = Random(1)
    total, looked_at = 5_000, 400
    for matching in (10, 500, 2_500, 4_900):
        held = 0
        for _ in range(600):
            hits = sum(number < matching for number in random.sample(range(total), looked_at))
            found = estimate(hits, looked_at, total)
            held += found.low <= matching <= found.high
        assert held >= 0.92 * 600, matching
