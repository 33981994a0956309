"""Parts that sum to exactly the whole."""

import pytest

from campaigns.attribution.shares import SHARE_UNITS, shares, values


def test_the_last_touch_takes_the_remainder() -> None:
    assert shares([1, 1, 1]) == [3_333_333_333, 3_333_333_333, 3_333_333_334]
    assert values(10_000_000, shares([1, 1, 1])) == [3_333_333, 3_333_333, 3_333_334]
    assert values(-10_000_000, shares([1, 1, 1])) == [-3_333_333, -3_333_333, -3_333_334]


def test_a_touch_without_weight_gets_nothing() -> None:
    assert shares([0, 0, 1]) == [0, 0, SHARE_UNITS]
    assert shares([1, 0, 0]) == [SHARE_UNITS, 0, 0]
    assert values(123_456_789, shares([1, 0, 0])) == [123_456_789, 0, 0]


@pytest.mark.parametrize("weights", [[], [0.0], [-1.0, 2.0], [float("nan")], [float("inf")]])
def test_what_is_no_weight_is_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="no weights"):
        shares(weights)
