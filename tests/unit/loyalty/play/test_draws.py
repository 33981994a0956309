"""Draws can be computed again, are spread evenly, and fall to prizes by their odds."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from loyalty.play.draws import commitment, draw, nonce, pick

SECRET = bytes(range(32))


def test_the_same_play_has_the_same_draw() -> None:
    assert draw(SECRET, nonce(7, 1)) == 0.3752956494710984
    assert draw(SECRET, nonce(7, 2)) != draw(SECRET, nonce(7, 1))
    assert commitment(SECRET) == "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd"


def test_odds_come_true() -> None:
    odds = [("car", Decimal("0.001")), ("mug", Decimal("0.2"))]
    found = [pick(draw(SECRET, nonce(number, 1)), odds) for number in range(100_000)]
    # Four standard deviations of the binomial distribution.
    assert abs(found.count("car") - 100) < 40
    assert abs(found.count("mug") - 20_000) < 506


@given(st.floats(0, 1, exclude_max=True))
def test_certain_and_impossible(drawn: float) -> None:
    assert pick(drawn, [("a", Decimal(1))]) == "a"
    assert pick(drawn, []) is None
    assert pick(drawn, [("a", Decimal("0.5"))]) == ("a" if drawn < 0.5 else None)
    assert pick(drawn, [("a", Decimal("0.3")), ("b", Decimal("0.7"))]) in ("a", "b")
