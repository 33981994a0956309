import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.kit.spreadsheets import cell


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "  =1",
        "\n@x",
        "\u00a0=1",
        "\uff1d1",
        "=cmd|' /C calc'!A0",
        "\0=1",
    ],
)
def test_a_formula_becomes_text(text: str) -> None:
    assert cell(text).startswith("'")


@pytest.mark.parametrize("text", ["hello", "a=b", "1-2", "", "ümläut"])
def test_plain_text_stays(text: str) -> None:
    assert cell(text) == text


@given(st.text())
def test_no_cell_begins_like_a_formula(text: str) -> None:
    found = cell(text)
    assert not found.lstrip(" \t\r\n\u00a0").startswith(("=", "+", "-", "@"))
    assert found[:1] not in ("\t", "\r", "\n")


@pytest.mark.parametrize("text", ["+49 221 123-45", "-12.50", "", "(0221) 1/2"])
def test_numbers_stay_where_they_are_wanted(text: str) -> None:
    assert cell(text, numbers=True) == text


@pytest.mark.parametrize("text", ["+1+cmd", "-A1", "=1", "\t1", "\uff0b1"])
def test_where_numbers_stay_formulas_do_not(text: str) -> None:
    assert cell(text, numbers=True) == f"'{text}"
