"""Writing returns into the ledger: exactly the lots that the purchase earned are taken back, and what it was paid with.

Points that are not there any more are owed, or forgiven, as the wallet says; points that have expired are neither.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from loyalty.events import facts, partitions
from loyalty.kit.problems import Problem
from loyalty.kit.sql import execute, fetch, sql
from loyalty.program import membership, names, posting, reversals, tiering
from loyalty.program.purchases import Committed, insert_bookings
from loyalty.program.receipts import SOURCE, Return, Void, content_of, key_of, late_or_early, plain, read, rounds
from loyalty.program.reversals import GivenLot, Paid
from loyalty.program.setup import Setup

_REVERSED = """SELECT w.booking_id, l.member_id, l.wallet_id, l.id AS lot_id, a.account::smallint AS from_account,
    {reversed}::smallint AS to_account, a.amount::int AS amount
FROM unnest({bookings}::bigint[], {lots}::bigint[], {amounts}::int[]) AS w (booking_id, lot_id, amount)
JOIN lot l ON l.id = w.lot_id
CROSS JOIN LATERAL (VALUES
    ({pending}, least(l.pending, w.amount)),
    ({active}, least(l.active, greatest(0, w.amount - l.pending))),
    ({owed}, CASE WHEN l.wallet_id = ANY({forgiving}::int[]) THEN 0 ELSE
        least(greatest(0, w.amount - l.pending - l.active), greatest(0, l.spent + l.locked + l.moved)) END)
) AS a (account, amount) WHERE a.amount > 0"""


@dataclass(slots=True)
class _Original:
    """A purchase and what came back of it before."""

    id: int
    member_id: int
    reference: str | None
    lines: list[dict[str, Any]]
    back: dict[int, Decimal] = field(default_factory=dict)
    voided: bool = False
    lots: list[GivenLot] = field(default_factory=list)
    paid: list[Paid] = field(default_factory=list)


@dataclass(slots=True)
class _Row:
    place: int
    given: Return | Void
    key: UUID
    content: UUID
    original: _Original | None = None
    booking_id: int | None = None
    early: dict[int, Decimal] = field(default_factory=dict)
    late: dict[int, Decimal] = field(default_factory=dict)
    quantities: dict[int, Decimal] = field(default_factory=dict)

    @property
    def voids(self) -> bool:
        return isinstance(self.given, Void)


def give_back(*, rows: Sequence[object], setup: Setup, now: datetime) -> Committed:
    """Book returns (`receipts.Return`); the good ones are booked, the bad ones told. Repetitions change nothing."""
    return _reverse(rows, Return, setup=setup, now=now)


def void(*, rows: Sequence[object], setup: Setup, now: datetime) -> Committed:
    """Undo purchases (`receipts.Void`): everything that has not come back yet does."""
    return _reverse(rows, Void, setup=setup, now=now)


def _reverse(rows: Sequence[object], shape: type[Return] | type[Void], *, setup: Setup, now: datetime) -> Committed:
    problems: dict[int, list[Problem]] = {}
    found: list[_Row] = []
    for place, row in enumerate(rows):
        given, wrong = read(shape, row)
        if isinstance(given, Return):
            wrong = late_or_early(given.occurred_at, now)
        if wrong:
            problems[place] = wrong
            continue
        named = given.id if given.id else given.transaction
        source = "void" if isinstance(given, Void) else "return"
        found.append(_Row(place, given, key_of(source, named), content_of(given)))
    bookings: list[int | None] = [None] * len(rows)
    repeated: set[int] = set()
    with transaction.atomic():
        found = _found(found, setup, problems)
        if found:
            partitions.ensure(now, now)
            membership.lock([one.original.member_id for one in found if one.original])
            found = _fresh(found, problems, repeated, bookings)
            _load([one.original for one in found if one.original])
            members = [one.original.member_id if one.original else 0 for one in found]
            for turn in rounds(members, [now] * len(found)):
                _book([found[place] for place in turn], setup, problems, now)
            for one in found:
                bookings[one.place] = one.booking_id
    return Committed(bookings, sorted(problems.items()), repeated)


def _found(rows: list[_Row], setup: Setup, problems: dict[int, list[Problem]]) -> list[_Row]:
    """Those rows whose purchase exists."""
    keys = sorted({key_of(SOURCE, one.given.transaction) for one in rows})
    query = sql(
        "SELECT key_digest, id, member_id, reference, lines FROM booking WHERE key_digest = ANY({keys}::uuid[])"
        " AND kind = {kind} AND program_id = {program} AND member_id IS NOT NULL AND lines IS NOT NULL",
        keys=keys,
        kind=names.PURCHASE,
        program=setup.id,
    )
    originals = {
        key: _Original(booking_id, member_id, reference, [plain(line) for line in json.loads(lines)])
        for key, booking_id, member_id, reference, lines in fetch(query)
    }
    kept = []
    for one in rows:
        one.original = originals.get(key_of(SOURCE, one.given.transaction))
        if one.original is None:
            remedy = "send the id of a committed purchase"
            problems[one.place] = [Problem("transaction", f"there is no {one.given.transaction!r}", remedy)]
        else:
            kept.append(one)
    return kept


def _fresh(
    rows: list[_Row], problems: dict[int, list[Problem]], repeated: set[int], bookings: list[int | None]
) -> list[_Row]:
    """Those rows that are not booked yet."""
    query = sql(
        "SELECT key_digest, id, content_digest FROM booking WHERE key_digest = ANY({keys}::uuid[])",
        keys=[one.key for one in rows],
    )
    stored = {key: (booking_id, content) for key, booking_id, content in fetch(query)}
    seen: set[UUID] = set()
    kept = []
    for one in rows:
        if one.key in stored and (stored[one.key][1] == one.content or one.voids):
            bookings[one.place] = stored[one.key][0]
            repeated.add(one.place)
        elif one.key in stored or one.key in seen:
            problem = "was used for something else" if one.key in stored else "stands in this call twice"
            problems[one.place] = [Problem("id", f"{one.given.id or one.given.transaction!r} {problem}")]
        else:
            seen.add(one.key)
            kept.append(one)
    return kept


def _load(originals: list[_Original]) -> None:
    """What came back before, which lots were earned, which points paid; three queries."""
    by_id = {one.id: one for one in originals}
    ids = sorted(by_id)
    earlier = sql(
        "SELECT original_id, kind, lines FROM booking WHERE original_id = ANY({ids}::bigint[])"
        " AND kind IN ('return', 'void')",
        ids=ids,
    )
    for original_id, kind, lines in fetch(earlier):
        one = by_id[original_id]
        one.voided = one.voided or kind == names.VOID
        for line in json.loads(lines or "[]"):
            one.back[line["no"]] = one.back.get(line["no"], Decimal(0)) + Decimal(line["quantity"])
    lots = sql(
        "SELECT booking_id, id, line_numbers, parts FROM lot WHERE booking_id = ANY({ids}::bigint[])"
        " AND parts IS NOT NULL ORDER BY id",
        ids=ids,
    )
    for booking_id, lot_id, numbers, parts in fetch(lots):
        by_id[booking_id].lots.append(GivenLot(lot_id, dict(zip(numbers, parts, strict=True))))
    paid = sql(
        "SELECT booking_id, lot_id, wallet_id, amount FROM entry WHERE booking_id = ANY({ids}::bigint[])"
        " AND to_account = {spent} ORDER BY id",
        ids=ids,
        spent=names.SPENT,
    )
    for booking_id, lot_id, wallet_id, amount in fetch(paid):
        by_id[booking_id].paid.append(Paid(lot_id, wallet_id, amount))


def _book(rows: list[_Row], setup: Setup, problems: dict[int, list[Problem]], now: datetime) -> None:
    values = []
    for one in rows:
        value = _judged(one, setup, problems, now)
        if value:
            values.append(value)
    made = insert_bookings(values, program_id=setup.id, now=now)
    rows = [one for one in rows if one.place not in problems]
    for one in rows:
        one.booking_id = made.get(one.key)
        if one.original:
            for number, quantity in one.quantities.items():
                one.original.back[number] = one.original.back.get(number, Decimal(0)) + quantity
            one.original.voided = one.original.voided or one.voids
    if not rows:
        return
    _move(rows, setup, now)
    members = [one.original.member_id for one in rows if one.original]
    posting.settle_debts(members, program_id=setup.id, now=now)
    tiering.retier(setup, now=now, member_ids=members)
    _tell(rows, setup, now)


def _judged(one: _Row, setup: Setup, problems: dict[int, list[Problem]], now: datetime) -> tuple[Any, ...] | None:
    """The booking's values; None, and a problem, for what cannot come back."""
    original = one.original
    if original is None:
        return None
    if original.voided:
        problems[one.place] = [Problem("transaction", "was voided: all of it came back")]
        return None
    items = one.given.items if isinstance(one.given, Return) else []
    one.quantities, wrong = reversals.wanted(original.lines, original.back, items)
    if wrong:
        problems[one.place] = wrong
        return None
    one.early, one.late = reversals.shares(original.lines, original.back, one.quantities)
    lines = [{"no": number, "quantity": str(quantity)} for number, quantity in sorted(one.quantities.items())]
    details = {"reason": one.given.reason} if one.given.reason else None
    returned = isinstance(one.given, Return)
    return (
        original.member_id, names.RETURN if returned else names.VOID,
        (one.given.occurred_at if isinstance(one.given, Return) else None) or now, one.key, one.content,
        one.given.id, setup.document.currency, reversals.amount(original.lines, one.early, one.late), None,
        _margin(original.lines, one), one.given.store if isinstance(one.given, Return) else None, None,
        lines, details, original.id,
    )  # fmt: skip


def _margin(lines: list[dict[str, Any]], one: _Row) -> Decimal | None:
    known = [line for line in lines if line.get("margin") is not None]
    if not known:
        return None
    total = sum((line["margin"] * (one.late[line["no"]] - one.early[line["no"]]) for line in known), Decimal(0))
    return total.quantize(Decimal("0.01"))


def _move(rows: list[_Row], setup: Setup, now: datetime) -> None:
    """Take back what was earned, give back what was paid with, and free the budgets."""
    back = [
        (one.booking_id, lot.id, points)
        for one in rows
        if one.original
        for lot in one.original.lots
        if (points := reversals.points(lot, one.early, one.late)) > 0
    ]
    if back:
        forgiving = [setup.wallet_ids[one.key] for one in setup.document.wallets if one.negative == "forgive"]
        moves = sql(
            _REVERSED,
            bookings=[one[0] for one in back],
            lots=[one[1] for one in back],
            amounts=[one[2] for one in back],
            pending=names.PENDING,
            active=names.ACTIVE,
            owed=names.OWED,
            reversed=names.REVERSED,
            forgiving=forgiving,
        )
        posting.post(moves, now=now, fact="points.reversed")
        free_budgets([one[0] for one in back if one[0]])
    paid = [
        (one.booking_id, lot_id, points)
        for one in rows
        if one.original
        for lot_id, points in reversals.refunds(one.original.paid, one.original.lines, one.early, one.late)
    ]
    if paid:
        moves = sql(
            "SELECT w.booking_id, l.member_id, l.wallet_id, l.id AS lot_id, {spent}::smallint AS from_account,"
            " {active}::smallint AS to_account, w.amount"
            " FROM unnest({bookings}::bigint[], {lots}::bigint[], {amounts}::int[]) AS w (booking_id, lot_id, amount)"
            " JOIN lot l ON l.id = w.lot_id",
            spent=names.SPENT,
            active=names.ACTIVE,
            bookings=[one[0] for one in paid],
            lots=[one[1] for one in paid],
            amounts=[one[2] for one in paid],
        )
        posting.post(moves, now=now, fact="points.refunded")


def free_budgets(booking_ids: list[int]) -> None:
    """Let budgets have again what these bookings took back."""
    execute(
        sql(
            "UPDATE earning_rule r SET used_points = greatest(0, r.used_points - x.points) FROM ("
            " SELECT l.rule_id, sum(e.amount) AS points FROM entry e JOIN lot l ON l.id = e.lot_id"
            " WHERE e.booking_id = ANY({ids}::bigint[]) AND e.to_account = {reversed} GROUP BY 1) x"
            " WHERE r.id = x.rule_id AND r.used_points > 0",
            ids=booking_ids,
            reversed=names.REVERSED,
        )
    )


def _tell(rows: list[_Row], setup: Setup, now: datetime) -> None:
    query = sql(
        "SELECT m.customer_id, {now}::timestamptz, b.id, jsonb_strip_nulls(jsonb_build_object('amount', b.amount,"
        " 'currency', b.currency, 'transaction', o.reference, 'voided', CASE WHEN b.kind = 'void' THEN true END,"
        " 'program', {program}::text)) FROM booking b JOIN booking o ON o.id = b.original_id"
        " JOIN member m ON m.id = b.member_id AND m.customer_id IS NOT NULL WHERE b.id = ANY({ids}::bigint[])",
        now=now,
        program=setup.key,
        ids=[one.booking_id for one in rows if one.booking_id],
    )
    facts.write(names.RETURNED_EVENT, query)
