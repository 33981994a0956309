"""Baskets become rows of the ledger; discounts never make a line cost less than nothing."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from loyalty.checkout.baskets import Basket, corrected, receipt_row, whole_of
from loyalty.program.receipts import Receipt

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)


def basket(**rest: object) -> Basket:
    return Basket.model_validate({"id": "r1", "customer": "anna", **rest})


def test_lines_cost_less_with_their_net_and_margin() -> None:
    one = basket(items=[{"sku": "a", "price": 25, "quantity": 2, "net_amount": 40, "margin": 12}], codes=["A"])
    row = receipt_row(one, {"card": "7"}, {1: Decimal(5)})
    assert row == {
        "id": "r1",
        "customer": {"card": "7"},
        "items": [{"sku": "a", "quantity": 2, "amount": 45, "net_amount": 36, "margin": 7}],
    }
    assert (whole_of(one), Receipt.model_validate(row).total) == (50, 45)


def test_a_total_below_its_lines_is_reduced_too() -> None:
    one = basket(items=[{"amount": 60}, {"amount": 40}], amount=90, codes=["A"])
    assert receipt_row(one, "anna", {1: Decimal(6)})["amount"] == 84


@given(
    st.lists(st.decimals("0.01", "999", places=2), min_size=1, max_size=6),
    st.lists(st.integers(0, 100), min_size=6, max_size=6),
)
def test_what_is_booked_is_what_is_paid(amounts: list[Decimal], percents: list[int]) -> None:
    off = {n: (amount * percents[n - 1] / 100).quantize(Decimal("0.01")) for n, amount in enumerate(amounts, 1)}
    one = basket(items=[{"amount": amount} for amount in amounts], codes=["A"])
    row = receipt_row(one, "anna", {n: share for n, share in off.items() if share})
    assert Receipt.model_validate(row).total == sum(amounts) - sum(off.values())


@pytest.mark.parametrize(
    ("minutes", "expected"), [(0, 0), (2, 0), (-2, 0), (3, 3), (-90, -90)]
)  # fmt: skip
def test_clocks_that_go_a_little_wrong_are_left_alone(minutes: int, expected: int) -> None:
    assert corrected(AT, timedelta(minutes=minutes)) == AT + timedelta(minutes=expected)
    assert corrected(None, timedelta(minutes=minutes)) is None


def test_plain_and_other_baskets() -> None:
    assert basket(amount=1).plain
    assert not basket(items=[{"amount": 1}], offers="all").plain
    assert not basket(amount=1, staff="9").plain
    with pytest.raises(ValidationError, match="items"):
        basket(amount=1, codes=["A"])
    with pytest.raises(ValidationError, match="customer"):
        Basket.model_validate({"id": "r1", "amount": 1})
