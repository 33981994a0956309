"""What vouchers and offers do to a basket: exact cents, the best combination, nothing below nothing."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.offers.baskets import Line
from loyalty.offers.definition import OfferDocument, PoolDocument
from loyalty.offers.pricing import Candidate, Priced, best


def line(no: int, gross: Any, quantity: Any = 1, **facts: Any) -> Line:
    return Line(no, Decimal(str(gross)), Decimal(str(quantity)), {"sku": f"s{no}", "labels": [], **facts})


_next = iter(range(1, 1_000_000))


def candidate(key: str, benefit: dict[str, Any], **rest: Any) -> Candidate:
    money, left = rest.pop("money", 0), rest.pop("rest", None)
    document = PoolDocument.model_validate({"key": key, "benefit": benefit, **rest})
    number = next(_next)
    return Candidate(key.upper(), "voucher", number, document, number, Decimal(money), left)


def offer(key: str, benefit: dict[str, Any], **rest: Any) -> Candidate:
    document = OfferDocument.model_validate({"key": key, "benefit": benefit, **rest})
    return Candidate(key, "offer", next(_next), document)


def priced(*candidates: Candidate, lines: list[Line], shipping: Any = 0) -> Priced:
    return best(candidates, lines, Decimal(str(shipping)))


def off(found: Priced) -> dict[str, dict[int, str]]:
    return {one.name: {n: str(share) for n, share in effect.lines.items()} for one, effect in found.effects}


def why(found: Priced) -> dict[str, str]:
    return {one.name: one.reason for one in found.refused}


def test_percent_is_spread_to_the_cent() -> None:
    found = priced(candidate("ten", {"type": "percent", "percent": 10}), lines=[line(1, "0.99"), line(2, "1.99")])
    assert off(found) == {"TEN": {1: "0.09", 2: "0.21"}}


def test_percent_stops_at_its_most() -> None:
    found = priced(candidate("ten", {"type": "percent", "percent": 50, "max": 10}), lines=[line(1, 100), line(2, 300)])
    assert off(found) == {"TEN": {1: "2.50", 2: "7.50"}}


def test_an_amount_never_costs_more_than_the_lines() -> None:
    found = priced(candidate("five", {"type": "amount", "amount": 5}), lines=[line(1, 2), line(2, 1)])
    assert off(found) == {"FIVE": {1: "2", 2: "1"}}


def test_only_the_meant_lines() -> None:
    coffee = {"type": "percent", "percent": 50, "only": {"category": ["coffee"]}, "without": {"brand": ["best"]}}
    lines = [
        line(1, 10, category="coffee", brand="good"),
        line(2, 10, category="coffee", brand="best"),
        line(3, 10, category="tea"),
    ]
    assert off(priced(candidate("half", coffee), lines=lines)) == {"HALF": {1: "5.00"}}
    assert why(priced(candidate("half", coffee), lines=lines[2:])) == {"HALF": "lines"}


def test_free_pieces_are_the_cheapest() -> None:
    free = {"type": "product", "quantity": 3, "only": {"category": ["tea"]}}
    lines = [line(1, 30, 3, category="tea"), line(2, 8, 2, category="tea")]
    assert off(priced(candidate("free", free), lines=lines)) == {"FREE": {2: "8.00", 1: "10.00"}}


@pytest.mark.parametrize(
    ("benefit", "quantity", "expected"),
    [
        ({"buy": 2, "get": 1}, 3, {1: "10.00"}),
        ({"buy": 2, "get": 1}, 8, {1: "20.00"}),
        ({"buy": 2, "get": 1, "times": 1}, 8, {1: "10.00"}),
        ({"buy": 1, "get": 1, "percent": 50}, 2, {1: "5.00"}),
    ],
)
def test_buy_some_get_some(benefit: dict[str, Any], quantity: int, expected: dict[int, str]) -> None:
    lines = [line(1, 10 * quantity, quantity)]
    assert off(priced(candidate("b", {"type": "buy_get", **benefit}), lines=lines)) == {"B": expected}


def test_too_few_pieces_are_told() -> None:
    found = priced(candidate("b", {"type": "buy_get", "buy": 2, "get": 1}), lines=[line(1, 10)])
    assert [(one.reason, one.facts) for one in found.refused] == [("pieces", {"missing": 2})]


def test_shipping_and_gift_cards_come_with_the_rest() -> None:
    found = priced(
        candidate("card", {"type": "gift_card", "amount": 50}, money=50),
        candidate("ship", {"type": "free_shipping", "max": 3}),
        candidate("ten", {"type": "percent", "percent": 10}),
        lines=[line(1, 20)],
        shipping="4.90",
    )
    assert [one.name for one, _ in found.effects] == ["SHIP", "TEN", "CARD"]
    assert [(str(e.discount), str(e.paid)) for _, e in found.effects] == [("3", "0"), ("2.00", "0"), ("0", "19.90")]


def test_two_gift_cards_pay_together_but_two_codes_of_a_pool_do_not_stack() -> None:
    card = {"type": "gift_card", "amount": 5}
    one, two = candidate("c1", card, money=5), candidate("c2", card, money=5)
    assert sum(e.paid for _, e in priced(one, two, lines=[line(1, 8)]).effects) == 8
    ten = candidate("ten", {"type": "percent", "percent": 10})
    again = Candidate("OTHER", "voucher", ten.id, ten.document, 7)
    found = priced(ten, again, lines=[line(1, 8)])
    assert [one.name for one, _ in found.effects] == ["OTHER"]
    assert why(found) == {"TEN": "exclusive"}


def test_the_best_of_a_group_and_of_what_stands_alone() -> None:
    small = candidate("small", {"type": "amount", "amount": 3}, stack={"exclusive": "spring"})
    large = candidate("large", {"type": "percent", "percent": 20}, stack={"exclusive": "spring"})
    alone = candidate("alone", {"type": "amount", "amount": 15}, stack={"alone": True})
    more = candidate("more", {"type": "amount", "amount": 4})
    found = priced(small, large, alone, more, lines=[line(1, 100)])
    assert [one.name for one, _ in found.effects] == ["LARGE", "MORE"]
    assert why(found) == {"SMALL": "exclusive", "ALONE": "alone"}
    found = priced(small, large, alone, more, lines=[line(1, 40)])
    assert [one.name for one, _ in found.effects] == ["ALONE"]
    assert why(found) == {"SMALL": "alone", "LARGE": "alone", "MORE": "alone"}


def test_priority_orders_what_adds_up() -> None:
    first = candidate("a", {"type": "amount", "amount": 10}, stack={"priority": 1})
    then = candidate("p", {"type": "percent", "percent": 50}, stack={"priority": 2})
    assert sum(e.discount for _, e in priced(first, then, lines=[line(1, 30)]).effects) == 20
    last = candidate("a", {"type": "amount", "amount": 10}, stack={"priority": 3})
    assert sum(e.discount for _, e in priced(last, then, lines=[line(1, 30)]).effects) == 25


def test_what_changes_nothing_is_not_used_up() -> None:
    all_of_it = candidate("all", {"type": "percent", "percent": 100}, stack={"priority": 1})
    found = priced(all_of_it, candidate("five", {"type": "amount", "amount": 5}), lines=[line(1, 10)])
    assert why(found) == {"FIVE": "nothing"}


def test_a_budget_refuses_what_it_cannot_pay() -> None:
    found = priced(candidate("ten", {"type": "percent", "percent": 10}, rest=Decimal("9.99")), lines=[line(1, 100)])
    assert (why(found), found.effects) == ({"TEN": "budget"}, ())


def test_points_and_vouchers_to_come_cost_nothing_now() -> None:
    found = priced(
        offer("double", {"type": "multiplier", "times": 2, "only": {"category": ["tea"]}}),
        offer("bonus", {"type": "points", "points": 100}),
        offer("again", {"type": "next_order", "pool": "five"}),
        lines=[line(1, 10, category="tea"), line(2, 10)],
    )
    by_name = {one.name: effect for one, effect in found.effects}
    assert (by_name["double"].times, by_name["double"].on) == (Decimal(2), (1,))
    assert (by_name["bonus"].points, by_name["again"].next_pool) == (100, "five")
    assert all(effect.discount == 0 for effect in by_name.values())


MONEY = st.integers(0, 100_00).map(lambda cents: Decimal(cents) / 100)
LINES = st.lists(st.tuples(MONEY, st.integers(1, 5), st.sampled_from("abc")), min_size=1, max_size=6).map(
    lambda rows: [line(n, gross, count, category=kind) for n, (gross, count, kind) in enumerate(rows, 1)]
)
BENEFITS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda p: {"type": "percent", "percent": p}, st.integers(1, 100)),
    st.builds(lambda a: {"type": "amount", "amount": a}, st.integers(1, 80)),
    st.builds(lambda k: {"type": "product", "only": {"category": [k]}}, st.sampled_from("abc")),
    st.builds(lambda b, g: {"type": "buy_get", "buy": b, "get": g}, st.integers(1, 3), st.integers(1, 2)),
    st.just({"type": "free_shipping"}),
    st.builds(lambda a: {"type": "gift_card", "amount": a}, st.integers(1, 50)),
)
STACKS = st.fixed_dictionaries(
    {"priority": st.integers(0, 3), "alone": st.booleans(), "exclusive": st.sampled_from([None, "x", "y"])}
)


@settings(max_examples=300, deadline=None)
@given(LINES, st.lists(st.tuples(BENEFITS, STACKS), max_size=5), MONEY)
def test_nothing_ever_costs_less_than_nothing(
    lines: list[Line], given_ones: list[tuple[dict[str, Any], dict[str, Any]]], shipping: Decimal
) -> None:
    candidates = [
        candidate(f"k{number}", benefit, stack=stack, money=benefit["amount"] if benefit["type"] == "gift_card" else 0)
        for number, (benefit, stack) in enumerate(given_ones)
    ]
    found = best(candidates, lines, shipping)
    gross = {one.no: one.gross for one in lines}
    for number, price in gross.items():
        shares = [effect.lines.get(number, Decimal(0)) for _, effect in found.effects]
        assert all(share >= 0 and share == share.quantize(Decimal("0.01")) for share in shares)
        assert sum(shares) <= price
    assert sum(effect.shipping for _, effect in found.effects) <= shipping
    saved = sum(effect.discount + effect.paid for _, effect in found.effects)
    assert saved <= sum(gross.values()) + shipping
    used = [one for one, _ in found.effects]
    assert len({one.group for one in used}) == len(used)
    assert len(used) <= 1 or not any(one.document.stack.alone for one in used)
    # Nobody is better off with only one of them, and everybody is told about.
    for one in candidates:
        alone = best([one], lines, shipping)
        assert sum(effect.discount + effect.paid for _, effect in alone.effects) <= saved
    assert {one.name for one in candidates} == {one.name for one in used} | {one.name for one in found.refused}
    # The order in which codes are typed changes nothing.
    assert best(candidates[::-1], lines, shipping).score == found.score


def _cheap(*pairs: tuple[float, float | None]) -> list[Line]:
    """Lines of (price, margin)."""
    return [
        Line(no, Decimal(str(price)), margin=None if margin is None else Decimal(str(margin)))
        for no, (price, margin) in enumerate(pairs, 1)
    ]


def _kept(benefit: dict[str, object], name: str = "a", **rest: object) -> Candidate:
    document = OfferDocument.model_validate({"key": name, "benefit": benefit, **rest})
    return Candidate(name, "offer", 1, document, point=Decimal("0.01"))


def test_a_line_below_its_floor_is_spared() -> None:
    lines = _cheap((100, 30), (100, 8), (100, None))
    [(_, effect)] = best([_kept({"type": "percent", "percent": 10}, margin_floor=0)], lines, Decimal(0)).effects
    assert effect.lines == {1: Decimal(10), 3: Decimal(10)}
    assert effect.spared == (2,)
    # 20 of 100 must stay: 10 may go, exactly.
    [(_, effect)] = best([_kept({"type": "percent", "percent": 10}, margin_floor=20)], lines, Decimal(0)).effects
    assert effect.spared == (2,)
    found = best([_kept({"type": "percent", "percent": 10}, margin_floor=21)], lines[:2], Decimal(0))
    assert found.effects == () and [one.reason for one in found.refused] == ["margin"]


def test_together_they_do_not_sell_below_cost() -> None:
    lines = _cheap((100, 15))
    first = _kept({"type": "percent", "percent": 10}, "a", margin_floor=0)
    found = best([first, _kept({"type": "amount", "amount": 6}, "b")], lines, Decimal(0))
    assert [one.name for one, _ in found.effects] == ["a"]
    assert [(one.name, one.reason) for one in found.refused] == [("b", "margin")]
    free = [_kept({"type": "percent", "percent": 10}, "a"), _kept({"type": "amount", "amount": 6}, "b")]
    assert sum(effect.discount for _, effect in best(free, lines, Decimal(0)).effects) == 16


def test_points_cost_margin_too() -> None:
    lines = _cheap((100, 12))
    first = _kept({"type": "percent", "percent": 10}, "a", margin_floor=0)
    points = {"type": "points", "points": 200}
    found = best([first, _kept(points, "b", margin_floor=0)], lines, Decimal(0))
    assert [one.name for one, _ in found.effects] == ["a", "b"]
    points = {"type": "points", "points": 201}
    found = best([first, _kept(points, "b", margin_floor=0)], lines, Decimal(0))
    assert [(one.name, one.reason) for one in found.refused] == [("b", "margin")]


@given(
    st.lists(st.tuples(st.integers(1, 200), st.integers(-20, 100)), min_size=1, max_size=5),
    st.lists(st.tuples(st.sampled_from(["percent", "amount"]), st.integers(1, 60)), min_size=1, max_size=3),
    st.integers(0, 30),
)
def test_no_floor_is_ever_broken(pairs: list[tuple[int, int]], kinds: list[tuple[str, int]], floor: int) -> None:
    lines = _cheap(*[(price, min(price, margin)) for price, margin in pairs])
    candidates = [
        _kept({"type": kind, kind: size}, f"o{n}", margin_floor=floor) for n, (kind, size) in enumerate(kinds)
    ]
    found = best(candidates, lines, Decimal(0))
    for line in lines:
        off = sum((effect.lines.get(line.no, Decimal(0)) for _, effect in found.effects), Decimal(0))
        assert off == 0 or (line.margin or 0) - off >= floor * line.gross / 100
