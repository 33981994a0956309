"""Pure: what vouchers and offers do to a basket, one after the other, and which combination is the best.

Each takes what the earlier ones left of the lines. Discounts on several lines are spread over them to the cent, so that
a return of one line knows its share. Money of gift cards comes last: it pays, it lessens no price.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from itertools import product as combinations
from math import prod
from typing import Any

from loyalty.offers.baskets import Effect, Line, Refusal
from loyalty.offers.definition import (
    Amount,
    Bonus,
    BuyGet,
    FreeShipping,
    GiftCard,
    Multiplier,
    NextOrder,
    Percent,
    Product,
    Usable,
)
from loyalty.program.lines import matches
from loyalty.program.receipts import CENT, spread

# Lines looked at for all combinations together; past this each group takes what is best by itself.
EFFORT = 200_000
NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A voucher or an offer that may be used. `id` is the pool's or the offer's; `money` is on the gift card; `rest`
    is what the budget still has, None without one; `point` is what a point costs, `protected` whether the program wants
    nothing sold below cost.
    """

    name: str
    kind: str
    id: int
    document: Usable
    voucher_id: int | None = None
    money: Decimal = NOTHING
    rest: Decimal | None = None
    point: Decimal = NOTHING
    protected: bool = False

    @property
    def floor(self) -> Decimal | None:
        """How many percent of a line's price must stay as margin; where the program protects it, at least none lost."""
        return NOTHING if self.protected and self.document.margin_floor is None else self.document.margin_floor

    @property
    def order(self) -> tuple[bool, int, str, str]:
        """Gift cards last; else by priority, key and code, never by how they were typed."""
        return (self.is_gift, self.document.stack.priority, self.document.key, self.name)

    @property
    def is_gift(self) -> bool:
        return self.document.benefit.type == "gift_card"

    @property
    def group(self) -> str:
        """Of the candidates of one group only one counts."""
        if self.document.stack.exclusive:
            return f"group {self.document.stack.exclusive}"
        return f"{self.kind} {self.name}" if self.is_gift else f"{self.kind} of {self.document.key}"


@dataclass(slots=True)
class Remains:
    """What is left of a basket to take something off: of its price, and of the margin where a line tells it.

    `floors`: the margin, in money, that must stay of a line by what was taken off it already.
    """

    lines: dict[int, Decimal]
    shipping: Decimal
    paid: Decimal = NOTHING
    margins: dict[int, Decimal] = field(default_factory=dict)
    floors: dict[int, Decimal] = field(default_factory=dict)

    @property
    def open(self) -> Decimal:
        """What is still to be paid."""
        return sum(self.lines.values(), self.shipping) - self.paid

    def room(self, line: Line, floor: Decimal | None) -> Decimal | None:
        """What may still be taken off the line; None: as much as one likes."""
        if line.no not in self.margins or (floor is None and line.no not in self.floors):
            return None
        least = max(floor * line.gross / 100 if floor is not None else NOTHING, self.floors.get(line.no, NOTHING))
        return max(NOTHING, self.margins[line.no] - least)


@dataclass(frozen=True, slots=True)
class Priced:
    """What a set of candidates does together, in order, and who does nothing and why."""

    effects: tuple[tuple[Candidate, Effect], ...] = ()
    refused: tuple[Refusal, ...] = ()

    @property
    def score(self) -> tuple[Decimal, int, Decimal, int, int]:
        """More money saved is better; then points; then using up less."""
        effects = [effect for _, effect in self.effects]
        return (
            sum((one.discount + one.paid for one in effects), NOTHING),
            sum(one.points for one in effects),
            sum((one.times or NOTHING for one in effects), NOTHING),
            sum(1 for one in effects if one.next_pool),
            -len(effects),
        )


@dataclass(frozen=True, slots=True)
class _Meant:
    """A candidate with the lines it is about."""

    candidate: Candidate
    lines: tuple[Line, ...]


def best(candidates: Sequence[Candidate], lines: Sequence[Line], shipping: Decimal) -> Priced:
    """The allowed combination that saves most, and why each other candidate is left out."""
    meant = [_Meant(one, _lines_of(one, lines)) for one in sorted(candidates, key=lambda one: one.order)]
    found = Priced()
    for combination in _allowed(meant, lines, shipping):
        priced = _priced(combination, lines, shipping)
        if not found.effects or priced.score > found.score:
            found = replace(priced, refused=priced.refused)
    used = {id(one) for one, _ in found.effects}
    told = {(refusal.kind, refusal.name) for refusal in found.refused}
    losers = [
        _lost(one.candidate, found, lines, shipping)
        for one in meant
        if id(one.candidate) not in used and (one.candidate.kind, one.candidate.name) not in told
    ]
    return replace(found, refused=(*found.refused, *losers))


def _allowed(meant: Sequence[_Meant], lines: Sequence[Line], shipping: Decimal) -> Iterator[list[_Meant]]:
    """The combinations that rules of stacking allow and that no other contains."""
    for one in meant:
        if one.candidate.document.stack.alone:
            yield [one]
    groups: dict[str, list[_Meant]] = {}
    for one in meant:
        if not one.candidate.document.stack.alone:
            groups.setdefault(one.candidate.group, []).append(one)
    if not groups:
        return
    many = prod(len(group) for group in groups.values())
    if many * len(meant) * max(1, len(lines)) > EFFORT and many > 1:
        groups = {
            name: [max(group, key=lambda one: _priced([one], lines, shipping).score)] for name, group in groups.items()
        }
    for chosen in combinations(*groups.values()):
        yield sorted(chosen, key=lambda one: one.candidate.order)


def _lost(candidate: Candidate, found: Priced, lines: Sequence[Line], shipping: Decimal) -> Refusal:
    """Why a candidate is not part of the best combination."""
    alone = _priced([_Meant(candidate, _lines_of(candidate, lines))], lines, shipping)
    if alone.refused:
        return alone.refused[0]
    rivals = [one for one, _ in found.effects if one.group == candidate.group]
    rivals = rivals or [one for one, _ in found.effects if one.document.stack.alone]
    rival = (rivals or [one for one, _ in found.effects])[0]
    reason = "alone" if candidate.document.stack.alone or rival.document.stack.alone else "exclusive"
    return Refusal(candidate.name, candidate.kind, reason, {"by": rival.name})


def _lines_of(candidate: Candidate, lines: Sequence[Line]) -> tuple[Line, ...]:
    benefit = candidate.document.benefit
    if isinstance(benefit, Percent | Amount | Product | BuyGet | Multiplier):
        only = benefit.only if benefit.only or benefit.without else candidate.document.when.only
        without = benefit.without if benefit.only or benefit.without else candidate.document.when.without
        return tuple(line for line in lines if matches(line.facts, only, without))
    return tuple(lines)


def _priced(chosen: Sequence[_Meant], lines: Sequence[Line], shipping: Decimal) -> Priced:
    remains = Remains(
        {line.no: line.gross for line in lines},
        shipping,
        margins={line.no: line.margin for line in lines if line.margin is not None},
    )
    effects, refused = [], []
    for one in chosen:
        outcome = _effect(one, remains, lines)
        if isinstance(outcome, Refusal):
            refused.append(outcome)
            continue
        for number, off in outcome.lines.items():
            remains.lines[number] -= off
        _charge(one, outcome, remains, lines)
        remains.shipping -= outcome.shipping
        remains.paid += outcome.paid
        effects.append((one.candidate, outcome))
    return Priced(tuple(effects), tuple(refused))


def _charge(one: _Meant, outcome: Effect, remains: Remains, lines: Sequence[Line]) -> None:
    """Take what the effect costs off the margins, and let its floor hold for what comes later."""
    costs = dict(outcome.lines)
    if outcome.points and one.candidate.point:
        shares = spread(_worth(one, outcome), [line.gross for line in lines])
        costs = {line.no: share for line, share in zip(lines, shares, strict=True)}
    floor = one.candidate.floor
    for line in lines:
        if line.no in costs and line.no in remains.margins:
            remains.margins[line.no] -= costs[line.no]
            if floor is not None:
                remains.floors[line.no] = max(remains.floors.get(line.no, NOTHING), floor * line.gross / 100)


def _worth(one: _Meant, outcome: Effect) -> Decimal:
    return (outcome.points * one.candidate.point).quantize(CENT, ROUND_HALF_UP)


def _effect(one: _Meant, remains: Remains, lines: Sequence[Line]) -> Effect | Refusal:
    candidate = one.candidate
    done = _spared(one, remains, lines)
    if isinstance(done, Refusal):
        return done
    if not done.does:
        return Refusal(candidate.name, candidate.kind, "margin" if done.spared else "nothing")
    if candidate.rest is not None and done.discount > candidate.rest:
        return Refusal(candidate.name, candidate.kind, "budget")
    return done


def _spared(one: _Meant, remains: Remains, lines: Sequence[Line]) -> Effect | Refusal:
    """The effect without the lines of which too little margin would stay; refused when that is all of them."""
    candidate, floor = one.candidate, one.candidate.floor
    empty = Effect(candidate.name, candidate.kind)
    spared: tuple[int, ...] = ()
    while True:
        done = _BENEFITS[candidate.document.benefit.type](candidate.document.benefit, one, remains, empty)
        if isinstance(done, Refusal):
            return replace(done, reason="margin", facts={}) if spared else done
        rooms = {line.no: remains.room(line, floor) for line in one.lines if line.no in done.lines}
        low = tuple(no for no, room in rooms.items() if room is not None and done.lines[no] > room)
        if not low:
            break
        spared += low
        one = replace(one, lines=tuple(line for line in one.lines if line.no not in low))
    if done.points and candidate.point:
        open_ = [remains.room(line, floor) for line in lines]
        if open_ and None not in open_ and _worth(one, done) > sum((room or NOTHING for room in open_), NOTHING):
            return Refusal(candidate.name, candidate.kind, "margin")
    return replace(done, spared=tuple(sorted(spared)))


def _off(total: Decimal, one: _Meant, remains: Remains, empty: Effect, most: Decimal | None) -> Effect:
    """So much off the meant lines, spread over them."""
    parts = [remains.lines[line.no] for line in one.lines]
    total = min(total.quantize(CENT, ROUND_HALF_UP), sum(parts, NOTHING), *([most] if most is not None else []))
    shares = spread(total, parts) if total else []
    off = {line.no: share for line, share in zip(one.lines, shares, strict=False) if share}
    return replace(empty, lines=off)


def _no_lines(empty: Effect) -> Refusal:
    return Refusal(empty.name, empty.kind, "lines")


def _percent(benefit: Percent, one: _Meant, remains: Remains, empty: Effect) -> Effect | Refusal:
    if not one.lines:
        return _no_lines(empty)
    whole = sum((remains.lines[line.no] for line in one.lines), NOTHING)
    return _off(whole * benefit.percent / 100, one, remains, empty, benefit.max)


def _amount(benefit: Amount, one: _Meant, remains: Remains, empty: Effect) -> Effect | Refusal:
    return _off(benefit.amount, one, remains, empty, benefit.max) if one.lines else _no_lines(empty)


def _product(benefit: Product, one: _Meant, remains: Remains, empty: Effect) -> Effect | Refusal:
    if not one.lines:
        return _no_lines(empty)
    return _pieces(benefit.quantity, Decimal(100), benefit.max, one, remains, empty)


def _buy_get(benefit: BuyGet, one: _Meant, remains: Remains, empty: Effect) -> Effect | Refusal:
    if not one.lines:
        return _no_lines(empty)
    there = sum(int(line.quantity) for line in one.lines)
    size = benefit.buy + benefit.get
    times = min(there // size, benefit.times or there)
    if not times:
        return Refusal(empty.name, empty.kind, "pieces", {"missing": size - there})
    return _pieces(times * benefit.get, benefit.percent, benefit.max, one, remains, empty)


def _pieces(count: int, percent: Decimal, most: Decimal | None, one: _Meant, remains: Remains, empty: Effect) -> Effect:
    """So many of the cheapest whole pieces for less."""
    off: dict[int, Decimal] = {}
    for line in sorted(one.lines, key=lambda line: (remains.lines[line.no] / line.quantity, line.no)):
        taken = min(count, int(line.quantity))
        if taken:
            count -= taken
            price = remains.lines[line.no] * taken / line.quantity
            off[line.no] = (price * percent / 100).quantize(CENT, ROUND_HALF_UP)
    whole = sum(off.values(), NOTHING)
    if most is not None and whole > most:
        off = dict(zip(off, spread(most, list(off.values())), strict=True))
    return replace(empty, lines={number: share for number, share in off.items() if share})


def _shipping(benefit: FreeShipping, one: _Meant, remains: Remains, empty: Effect) -> Effect:
    return replace(empty, shipping=min(remains.shipping, benefit.max or remains.shipping))


def _gift_card(benefit: GiftCard, one: _Meant, remains: Remains, empty: Effect) -> Effect:
    return replace(empty, paid=max(NOTHING, min(one.candidate.money, remains.open)))


def _next_order(benefit: NextOrder, one: _Meant, remains: Remains, empty: Effect) -> Effect:
    return replace(empty, next_pool=benefit.pool)


def _multiplier(benefit: Multiplier, one: _Meant, remains: Remains, empty: Effect) -> Effect | Refusal:
    if not one.lines:
        return _no_lines(empty)
    return replace(empty, times=benefit.times, on=tuple(line.no for line in one.lines))


def _bonus(benefit: Bonus, one: _Meant, remains: Remains, empty: Effect) -> Effect:
    return replace(empty, points=benefit.points)


_BENEFITS: dict[str, Callable[[Any, _Meant, Remains, Effect], Effect | Refusal]] = {
    "percent": _percent,
    "amount": _amount,
    "product": _product,
    "buy_get": _buy_get,
    "free_shipping": _shipping,
    "gift_card": _gift_card,
    "next_order": _next_order,
    "multiplier": _multiplier,
    "points": _bonus,
}
