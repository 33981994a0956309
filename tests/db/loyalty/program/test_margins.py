"""The margin of a line limits its points: a floor of one rule, and no loss by all rules together."""

import random
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import pytest

from loyalty.kit.applying import Refused, apply_documents
from loyalty.kit.sql import fetch, sql
from tests.db.loyalty.program.club import BASE, NOW, applied, balance, buy, customer, give_back, violations

WORTH = [{"key": "points", "value": 0.1}, {"key": "status", "spendable": False, "value": 0.05}]
FLOOR: dict[str, Any] = {**BASE, "margin_floor": {"percent": 10}}


def parts(booking_id: int, rule: str) -> dict[int, int]:
    """The points of each line by that rule."""
    rows = fetch(
        sql(
            "SELECT u.no, u.points FROM lot l JOIN earning_rule r ON r.id = l.rule_id CROSS JOIN LATERAL"
            " unnest(l.line_numbers, l.parts) AS u (no, points) WHERE l.booking_id = {id} AND r.key = {rule}",
            id=booking_id,
            rule=rule,
        )
    )
    return dict(rows)


@pytest.mark.django_db
def test_a_floor_leaves_its_share_of_each_item() -> None:
    setup = applied(FLOOR, wallets=WORTH)
    customer("anna")
    items = [
        {"amount": "100", "margin": "50"},  # 100 points cost 10, 40 are left: above 10
        {"amount": "100", "margin": "15.55"},  # 5.55 may go: 55 points
        {"amount": "100", "margin": "10"},  # nothing may go
        {"amount": "100", "margin": "-5"},
        {"amount": "100", "net_amount": "50", "margin": "10"},  # 10 % of the net price
        {"amount": "100"},  # not known, not limited
    ]
    booking = buy(setup, "t1", "anna", items=items)
    assert parts(booking, "base") == {1: 100, 2: 55, 5: 50, 6: 100}
    assert balance("anna") == (0, 305, 0, 0)
    give_back(setup, "r1", "t1", [{"line": 2}])
    assert balance("anna") == (0, 250, 0, 0)
    assert violations() == {}


@pytest.mark.django_db
def test_a_floor_may_take_all_points_and_counts_pieces() -> None:
    setup = applied({**BASE, "margin_floor": {"amount": 2, "otherwise": "none"}}, wallets=WORTH)
    customer("anna")
    items = [{"price": "10", "quantity": 3, "margin": "9"}, {"price": "10", "quantity": 3, "margin": "8.99"}]
    assert parts(buy(setup, "t1", "anna", items=items), "base") == {1: 30}


@pytest.mark.django_db
def test_rules_together_never_cost_more_than_the_margin() -> None:
    rules = [
        {**BASE, "priority": 1},
        {"kind": "earning_rule", "key": "twice", "type": "multiplier", "factor": 2, "priority": 2},
        {**BASE, "key": "status", "wallet": "status", "priority": 3},
        {**BASE, "key": "last", "points": 0.5, "priority": 4, "round": "up"},
    ]
    setup = applied(*rules, wallets=WORTH, protect_margin=True)
    customer("anna")
    items = [{"amount": "100", "margin": "23.33"}, {"amount": "100", "margin": "99"}, {"amount": "100", "margin": "-1"}]
    booking = buy(setup, "t1", "anna", items=items)
    assert [parts(booking, key) for key in ("base", "twice", "status", "last")] == [
        {1: 100, 2: 100},
        {1: 100, 2: 100},
        {1: 66, 2: 100},
        {2: 50},
    ]


@pytest.mark.django_db
def test_random_receipts_lose_nothing_on_any_line() -> None:
    """What each line costs by all rules stays within its margin, and a single rule gives what its twin says."""
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    rules = [
        {**BASE, "points": 0.7, "priority": 1},
        {**BASE, "key": "more", "points": 1.3, "per": 3, "priority": 2, "round": "nearest", "caps": {"receipt": 40}},
        {"kind": "earning_rule", "key": "twice", "type": "multiplier", "factor": 2.5, "priority": 3, "round": "up"},
    ]
    setup = applied(*rules, wallets=WORTH, protect_margin=True)
    customer("anna")
    for number in range(60):
        margins = [draw.choice([-3, 0, 0.04, 0.99, 1.5, 7.77, 40]) for _ in range(draw.randint(1, 5))]
        items = [{"amount": draw.choice(["0.99", "10.01", "33.33", "250.50"]), "margin": one} for one in margins]
        booking = buy(setup, f"t{number}", "anna", items=items)
        rows = fetch(sql("SELECT line_numbers, parts FROM lot WHERE booking_id = {id}", id=booking))
        for no, margin in enumerate(margins, 1):
            given = sum(dict(zip(*row, strict=True)).get(no, 0) for row in rows)
            assert given * Decimal("0.1") <= max(Decimal(0), Decimal(str(margin))), (items, rows)
        first, left = parts(booking, "base"), Decimal(0)
        for item in items:
            room = max(0, (Decimal(str(item["margin"])) / Decimal("0.1")).to_integral_value(ROUND_FLOOR))
            left += min(Decimal(item["amount"]) * Decimal("0.7"), room)
        assert sum(first.values()) == round(left, 6).to_integral_value(ROUND_FLOOR)
        assert all(0 <= one <= 176 for one in first.values())
    assert violations() == {}


@pytest.mark.django_db
def test_a_floor_needs_a_purchase_and_a_worth() -> None:
    applied()
    wrong = {"kind": "earning_rule", "key": "x", "type": "birthday", "points": 5, "margin_floor": {"percent": 5}}
    with pytest.raises(Refused, match="margin_floor: birthday looks at no purchase"):
        apply_documents([wrong], now=NOW)
    with pytest.raises(Refused, match="margin_floor: the wallet does not say what a point is worth"):
        apply_documents([{**FLOOR, "wallet": "status"}], now=NOW)
    with pytest.raises(Refused, match="give either percent or amount"):
        apply_documents([{**BASE, "margin_floor": {"percent": 5, "amount": 1}}], now=NOW)
