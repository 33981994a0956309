"""Codes that scanners read."""

import pytest

from loyalty.cards.drawing import barcode_svg, qr_svg, symbols


def test_digits_are_written_in_pairs_with_their_check() -> None:
    # Start C, 12, 34, the weighted sum modulo 103, stop.
    assert symbols("1234") == [105, 12, 34, (105 + 12 + 2 * 34) % 103, 106]


def test_an_odd_digit_is_written_by_itself() -> None:
    assert symbols("123") == [105, 12, 100, 19, (105 + 12 + 2 * 100 + 3 * 19) % 103, 106]


def test_letters_are_written_one_by_one() -> None:
    # The usual example; begun with set A its check is 54.
    assert symbols("PJJ123C") == [104, 48, 42, 42, 17, 18, 19, 35, 55, 106]


@pytest.mark.parametrize("text", ["", "ä", "a\n"])
def test_what_no_bar_code_says(text: str) -> None:
    with pytest.raises(ValueError):
        symbols(text)


def test_the_picture_is_as_wide_as_its_symbols() -> None:
    svg = barcode_svg("1234")
    # Four symbols of 11, the stop of 13, and the quiet zones.
    assert 'viewBox="0 0 77 76"' in svg
    assert svg.count("M") == 4 * 3 + 4
    assert "<script" not in barcode_svg("<script>")


def test_a_qr_code_is_a_picture_without_a_size() -> None:
    svg = qr_svg("2790000000017")
    assert svg.startswith("<svg") and "viewBox" in svg and "width=" not in svg.partition(">")[0]
