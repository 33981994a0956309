"""Check digits: known numbers, every single mistake, every swap that Luhn promises to find."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.customers.cards import LENGTH_MAX, check_digit, generate, is_valid

DIGITS = st.text("0123456789", min_size=1, max_size=LENGTH_MAX - 1)


@pytest.mark.parametrize(("digits", "expected"), [("7992739871", "3"), ("0", "0"), ("411111111111111", "1")])
def test_known_numbers(digits: str, expected: str) -> None:
    assert check_digit(digits) == expected
    assert is_valid(digits + expected)


@pytest.mark.parametrize("number", ["", "4", "79927398710", "7992739871x", "٤٢", "1" * (LENGTH_MAX + 1)])
def test_what_is_no_valid_number(number: str) -> None:
    assert not is_valid(number)


def test_groups_of_digits_are_read_as_printed() -> None:
    assert is_valid("4111 1111 1111 1111")
    assert is_valid("4111-1111-1111-1111")


@given(DIGITS, st.data())
def test_every_wrong_digit_is_found(digits: str, data: st.DataObject) -> None:
    number = digits + check_digit(digits)
    place = data.draw(st.integers(0, len(number) - 1))
    other = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != number[place]]))
    assert not is_valid(number[:place] + other + number[place + 1 :])


@given(DIGITS, st.data())
def test_every_swap_of_neighbors_but_09_is_found(digits: str, data: st.DataObject) -> None:
    number = digits + check_digit(digits)
    place = data.draw(st.integers(0, len(number) - 2))
    left, right = number[place], number[place + 1]
    swapped = number[:place] + right + left + number[place + 2 :]
    assert is_valid(swapped) is (left == right or {left, right} == {"0", "9"})


def test_a_series_numbers_its_cards_and_ends_when_it_is_full() -> None:
    assert generate("2700", 1) == "2700000000000017"
    assert generate("27", 999, length=6) == "279992"
    assert is_valid(generate("27", 999, length=6))
    with pytest.raises(ValueError, match="no room for number 1000"):
        generate("27", 1000, length=6)
