"""Offered beside held out: exact differences, honest about chance; texts that compare prices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.offers.comparing import Difference, Group, difference
from loyalty.offers.prices import compared


def group(values: list[float]) -> Group:
    return Group(len(values), 0, 0, 0.0, sum(values), sum(value**2 for value in values), 0.0)


def test_a_difference_that_is_none_of_chance() -> None:
    found = difference(group([5.0, 7.0] * 50), group([4.0, 6.0] * 50))
    # Both variances are 100 / 99; the error of the difference is the root of 2 / 99.
    assert (found.head, round(found.low, 4), round(found.high, 4)) == (1.0, 0.7214, 1.2786)
    assert (round(found.total, 6), found.verdict) == (100.0, "more")
    assert difference(group([4.0, 6.0] * 50), group([5.0, 7.0] * 50)).verdict == "less"


def test_what_says_nothing() -> None:
    assert difference(group([9.0] * 49), group([1.0] * 500)).verdict == "few"
    assert difference(group([0.0, 10.0] * 50), group([0.0, 9.0] * 50)).verdict == "unclear"
    assert difference(group([]), group([1.0])) == Difference(0.0, 0.0, 0.0, 0.0, "few")


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=50), st.lists(st.integers(0, 1000), min_size=2, max_size=50))
def test_the_difference_lies_in_its_interval(one: list[int], other: list[int]) -> None:
    found = difference(group([float(value) for value in one]), group([float(value) for value in other]))
    assert found.low <= found.head <= found.high


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Kaffee 4,99 € statt 6,99 €", "statt 6,99 €"),
        ("Bisher 12 EUR, jetzt 9 EUR", "Bisher 12 EUR"),
        ("only 5.99 instead of €7.99", "instead of €7.99"),
        ("was £10, now £8", "was £10"),
        ("~~9,99~~ 7,99", "~~9,99"),
        ("statt 6,99 € (niedrigster Preis der letzten 30 Tage: 5,99 €)", None),
        ("Tee statt Kaffee", None),
        ("It was 3 times as good", None),
        ("5 € für Ihren nächsten Einkauf", None),
    ],
)
def test_compared_prices(text: str, found: str | None) -> None:
    assert compared(text) == found
