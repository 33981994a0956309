"""Pure: what a return takes back: quantities by line, points by lot, points that were paid with.

Each is counted from the beginning ("after this return so much is back") minus what was back before, so that a purchase
returned in any number of pieces gives back exactly what it earned, and not a point more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from loyalty.kit.problems import Problem
from loyalty.program.receipts import CENT, ReturnedItem


@dataclass(frozen=True, slots=True)
class GivenLot:
    """A lot that the purchase earned, and its points by line."""

    id: int
    parts: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Paid:
    """Points that the purchase was paid with, from one lot."""

    lot_id: int
    wallet_id: int
    amount: int


def wanted(
    lines: Sequence[Mapping[str, Any]], before: Mapping[int, Decimal], items: Sequence[ReturnedItem]
) -> tuple[dict[int, Decimal], list[Problem]]:
    """Quantities that come back by line, and what is wrong. `before` is what came back earlier; no items: all the rest.

    An article that stands on several lines is taken from the first that have some left.
    """
    left = {line["no"]: line["quantity"] - before.get(line["no"], Decimal(0)) for line in lines}
    if not items:
        rest_of_all = {number: quantity for number, quantity in left.items() if quantity > 0}
        return rest_of_all, [] if rest_of_all else [Problem("transaction", "everything of it came back before")]
    back: dict[int, Decimal] = {}
    problems = []
    for place, item in enumerate(items):
        where = f"items[{place}]"
        numbers = [
            line["no"] for line in lines if item.line == line["no"] or (item.sku and item.sku == line.get("sku"))
        ]
        if not numbers:
            told = f"line {item.line}" if item.line else f"article {item.sku!r}"
            problems.append(Problem(where, f"the purchase has no {told}"))
            continue
        rest = sum((left[number] for number in numbers), Decimal(0))
        quantity = rest if item.quantity is None else item.quantity
        if quantity > rest or not quantity:
            problems.append(Problem(where, f"{quantity.normalize():f} come back, {rest.normalize():f} are left"))
            continue
        for number in numbers:
            taken = min(left[number], quantity)
            left[number] -= taken
            quantity -= taken
            if taken:
                back[number] = back.get(number, Decimal(0)) + taken
    return back, problems


def shares(
    lines: Sequence[Mapping[str, Any]], before: Mapping[int, Decimal], back: Mapping[int, Decimal]
) -> tuple[dict[int, Decimal], dict[int, Decimal]]:
    """By line: the part of it (0 to 1) that was back before, and that is back now."""
    early = {line["no"]: before.get(line["no"], Decimal(0)) / line["quantity"] for line in lines}
    late = {
        line["no"]: (before.get(line["no"], Decimal(0)) + back.get(line["no"], Decimal(0))) / line["quantity"]
        for line in lines
    }
    return early, late


def points(lot: GivenLot, early: Mapping[int, Decimal], late: Mapping[int, Decimal]) -> int:
    """The points of the lot that come back now."""
    return sum(
        _part(part, late.get(number, Decimal(0))) - _part(part, early.get(number, Decimal(0)))
        for number, part in lot.parts.items()
    )


def amount(lines: Sequence[Mapping[str, Any]], early: Mapping[int, Decimal], late: Mapping[int, Decimal]) -> Decimal:
    """The money that the returned lines had cost."""
    return sum(
        (
            (line["gross"] * late[line["no"]]).quantize(CENT, ROUND_FLOOR)
            - (line["gross"] * early[line["no"]]).quantize(CENT, ROUND_FLOOR)
            for line in lines
        ),
        Decimal(0),
    )


def refunds(
    paid: Sequence[Paid],
    lines: Sequence[Mapping[str, Any]],
    early: Mapping[int, Decimal],
    late: Mapping[int, Decimal],
) -> list[tuple[int, int]]:
    """(lot, points): what was paid with comes back in proportion to the money, to the lots that were used first."""
    whole = sum((line["gross"] for line in lines), Decimal(0))
    found: list[tuple[int, int]] = []
    for wallet_id in sorted({one.wallet_id for one in paid}):
        mine = [one for one in paid if one.wallet_id == wallet_id]
        spent = sum(one.amount for one in mine)
        low, high = (_part(spent, _portion(lines, upto, whole)) for upto in (early, late))
        start = 0
        for one in mine:
            share = min(high, start + one.amount) - max(low, start)
            if share > 0:
                found.append((one.lot_id, share))
            start += one.amount
    return found


def _portion(lines: Sequence[Mapping[str, Any]], upto: Mapping[int, Decimal], whole: Decimal) -> Decimal:
    if all(upto[line["no"]] == 1 for line in lines):
        return Decimal(1)
    if not whole:
        return Decimal(0)
    return sum((line["gross"] * upto[line["no"]] for line in lines), Decimal(0)) / whole


def _part(whole: int, share: Decimal) -> int:
    return int((whole * share).to_integral_value(ROUND_FLOOR))
