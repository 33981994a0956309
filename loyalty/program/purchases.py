"""Writing purchases into the ledger: a batch at a time, whatever its size, in the same few statements.

A member's purchases of one batch are taken in rounds, one of each member, so that caps, budgets and tiers of the second
see the first; nearly always the first round is the whole batch.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from loyalty.customers import queries as customers
from loyalty.events import facts, partitions
from loyalty.kit.problems import Problem
from loyalty.kit.sql import Sql, array, execute, fetch, sql
from loyalty.program import award, membership, movements, names, posting, step_up, tiering
from loyalty.program.receipts import SOURCE, Receipt, key_of, late_or_early, read, rounds
from loyalty.program.rules import Rule
from loyalty.program.setup import Setup

_COLUMNS = (
    ("member_id", "bigint"), ("kind", "text"), ("occurred_at", "timestamptz"), ("key_digest", "uuid"),
    ("content_digest", "uuid"), ("reference", "text"), ("currency", "text"), ("amount", "numeric"), ("net", "numeric"),
    ("margin", "numeric"), ("store", "text"), ("channel", "text"), ("lines", "jsonb"), ("details", "jsonb"),
    ("original_id", "bigint"),
)  # fmt: skip


_NAMES = tuple(name for name, _ in _COLUMNS)
_encode = json.JSONEncoder(default=str, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Committed:
    """`bookings[i]` is the booking of row i (None: rejected); `repeated` are rows that were booked before."""

    bookings: list[int | None]
    rejected: list[tuple[int, list[Problem]]]
    repeated: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Row:
    """One purchase on its way."""

    place: int
    receipt: Receipt
    lines: str
    total: Decimal
    member_id: int = 0
    spends: dict[int, int] = field(default_factory=dict)
    key: Any = None
    content: Any = None
    booking_id: int | None = None


def commit(*, rows: Sequence[object], setup: Setup, now: datetime, proven: bool = False) -> Committed:
    """Book purchases: take the points paid with, give those earned. The good rows are booked, the bad ones told.

    `rows` are as the API takes them (`receipts.Receipt`). The same id with the same content again is no second
    purchase; with another content it is refused. `proven`: the members' PINs were asked for before.
    """
    problems: dict[int, list[Problem]] = {}
    found: list[_Row] = []
    for place, row in enumerate(rows):
        receipt, wrong = read(Receipt, row)
        spends: dict[int, int] = {}
        if receipt is not None:
            wrong = [*late_or_early(receipt.occurred_at, now), *_misfits(receipt, setup, spends)]
        if wrong:
            problems[place] = wrong
        else:
            lines, total = _encode(receipt.lines()), receipt.total
            key, content = key_of(SOURCE, receipt.id), receipt.content(lines, total)
            found.append(_Row(place, receipt, lines, total, spends=spends, key=key, content=content))
    bookings: list[int | None] = [None] * len(rows)
    repeated: set[int] = set()
    with transaction.atomic():
        found = _recognized(found, setup, problems, now)
        if found:
            times = [one.receipt.occurred_at or now for one in found]
            partitions.ensure(min([now, *times]), max([now, *times]))
            states = membership.lock([one.member_id for one in found])
            for one in found:
                if (state := states.get(one.member_id, "gone")) != "active":
                    problems[one.place] = [membership.unfit(state)]
            found = [one for one in found if one.place not in problems]
            found = _new(found, problems, repeated, bookings)
            found = found if proven else _proven(found, setup, problems)
            turns = rounds([one.member_id for one in found], [one.receipt.occurred_at or now for one in found])
            for turn in turns:
                _book([found[place] for place in turn], setup, problems, now)
            for one in found:
                bookings[one.place] = one.booking_id
            _tell([one.booking_id for one in found if one.booking_id], setup)
    return Committed(bookings, sorted(problems.items()), repeated)


def _misfits(receipt: Receipt, setup: Setup, spends: dict[int, int]) -> list[Problem]:
    """What does not fit the program; fills in `spends` by wallet."""
    wrong = []
    if receipt.currency not in (None, setup.document.currency):
        remedy = f"the program counts in {setup.document.currency}"
        wrong.append(Problem("currency", f"{receipt.currency} is another currency", remedy))
    if receipt.spend is None:
        return wrong
    given = {setup.document.wallets[0].key: receipt.spend} if isinstance(receipt.spend, int) else receipt.spend
    for key, points in given.items():
        wallet = setup.document.wallet(key)
        if wallet is None or not wallet.spendable:
            known = ", ".join(one.key for one in setup.document.wallets if one.spendable)
            wrong.append(Problem(f"spend.{key}", "is no wallet to pay with", f"known: {known}"))
        else:
            spends[setup.wallet_ids[key]] = points
    return wrong


def _recognized(rows: list[_Row], setup: Setup, problems: dict[int, list[Problem]], now: datetime) -> list[_Row]:
    """Those rows whose customer is, or now becomes, a member."""
    ids = customers.resolve([one.receipt.customer for one in rows]) if rows else []
    known = {customer_id for customer_id in ids if customer_id is not None}
    members = membership.of_customers(known, program_id=setup.id)
    if setup.document.join == "automatic" and (strangers := known - members.keys()):
        membership.join(strangers, setup=setup, now=now)
        members |= membership.of_customers(strangers, program_id=setup.id)
    kept = []
    for one, customer_id in zip(rows, ids, strict=True):
        if customer_id is None:
            remedy = "check the number, or create the customer first"
            problems[one.place] = [Problem("customer", f"nobody is known by {_said(one.receipt.customer)}", remedy)]
            continue
        one.member_id, state = members.get(customer_id, (0, "none"))
        if state == "active":
            kept.append(one)
        else:
            problems[one.place] = [membership.unfit(state)]
    return kept


def _said(customer: str | Mapping[str, str]) -> str:
    if isinstance(customer, str):
        return f"the external id {customer!r}"
    kind, value = next(iter(customer.items()))
    return f"{kind} {value!r}"


def _new(
    rows: list[_Row], problems: dict[int, list[Problem]], repeated: set[int], bookings: list[int | None]
) -> list[_Row]:
    """Those rows that are not booked yet; repetitions get the booking that is there."""
    stored = dict(_stored([one.key for one in rows]))
    first: dict[Any, _Row] = {}
    kept = []
    for one in rows:
        if one.key in stored:
            booking_id, content = stored[one.key]
            if content == one.content:
                bookings[one.place] = booking_id
                repeated.add(one.place)
            else:
                problems[one.place] = [_other(one.receipt.id)]
        elif one.key in first:
            problems[one.place] = [Problem("id", f"{one.receipt.id!r} stands in this call twice", "send it once")]
        else:
            first[one.key] = one
            kept.append(one)
    return kept


def _other(identifier: str) -> Problem:
    return Problem("id", f"{identifier!r} was used for something else", "use a new id for a new transaction")


def _stored(keys: Sequence[Any]) -> list[tuple[Any, tuple[int, Any]]]:
    rows = fetch(
        sql(
            "SELECT key_digest, id, content_digest FROM booking WHERE key_digest = ANY({keys}::uuid[])",
            keys=array(keys),
        )
    )
    return [(key, (booking_id, content)) for key, booking_id, content in rows]


def _book(rows: list[_Row], setup: Setup, problems: dict[int, list[Problem]], now: datetime) -> None:
    """One round: bookings, points paid with, points earned, tiers."""
    rows = _solvent(rows, problems)
    values = [
        (
            one.member_id, names.PURCHASE, one.receipt.occurred_at or now, one.key, one.content, one.receipt.id,
            one.receipt.currency or setup.document.currency, one.total, one.receipt.net_amount,
            one.receipt.margin, one.receipt.store, one.receipt.channel, one.lines, None,
            None,
        )
        for one in rows
    ]  # fmt: skip
    made = insert_bookings(values, program_id=setup.id, now=now)
    for one in rows:
        one.booking_id = made.get(one.key)
        if one.booking_id is None:
            problems[one.place] = [_other(one.receipt.id)]
    rows = [one for one in rows if one.booking_id is not None]
    if not rows:
        return
    spends = [(one.booking_id, one.member_id, *spend) for one in rows for spend in one.spends.items()]
    if spends:
        wants = sql(
            "SELECT * FROM unnest({bookings}::bigint[], {members}::bigint[], {wallets}::int[], {amounts}::bigint[])"
            " AS w (booking_id, member_id, wallet_id, amount)",
            bookings=[spend[0] for spend in spends],
            members=[spend[1] for spend in spends],
            wallets=[spend[2] for spend in spends],
            amounts=[spend[3] for spend in spends],
        )
        posting.post(posting.allot(wants, names.SPENT), now=now, fact="points.spent")
    earn([one.booking_id for one in rows if one.booking_id], names.PURCHASE, setup=setup, now=now)
    members = [one.member_id for one in rows]
    movements.prolong(setup, members, now=now)
    posting.settle_debts(members, program_id=setup.id, now=now)
    tiering.retier(setup, now=now, member_ids=members)


def _proven(rows: list[_Row], setup: Setup, problems: dict[int, list[Problem]]) -> list[_Row]:
    """Those rows whose member may pay with so many points: with the right PIN where the program asks for one."""
    paying = [
        step_up.Asked(one.place, one.member_id, sum(one.spends.values()), one.receipt.pin) for one in rows if one.spends
    ]
    if refused := step_up.refusals(paying, setup=setup):
        problems |= {place: [problem] for place, problem in refused.items()}
    return [one for one in rows if one.place not in refused]


def _solvent(rows: list[_Row], problems: dict[int, list[Problem]]) -> list[_Row]:
    """Those rows whose member has the points they want to pay with."""
    paying = [one for one in rows if one.spends]
    if not paying:
        return rows
    balances = {
        (member_id, wallet_id): balance
        for member_id, wallet_id, balance in fetch(
            sql(
                "SELECT member_id, wallet_id, active - owed FROM member_balance WHERE member_id = ANY({ids}::bigint[])",
                ids=[one.member_id for one in paying],
            )
        )
    }
    for one in paying:
        for wallet_id, points in one.spends.items():
            has = max(0, balances.get((one.member_id, wallet_id), 0))
            if points > has:
                wrong = Problem("spend", f"{points} points are wanted, {has} can be used", f"spend at most {has}")
                problems.setdefault(one.place, []).append(wrong)
    return [one for one in rows if one.place not in problems]


def insert_bookings(values: Sequence[tuple[Any, ...]], *, program_id: int, now: datetime) -> dict[Any, int]:
    """Insert bookings (values in the order of `_COLUMNS`, lines as a list or as its JSON text); ids by key. A key that
    another session took is missing."""
    if not values:
        return {}
    # One JSON text: arrays of texts would cost ten times as much to write, a quote at a time.
    told = f"[{','.join(map(_told, values))}]"
    rows = fetch(
        sql(
            "INSERT INTO booking (program_id, recorded_at, {columns})"
            " SELECT {program}, {now}, b.* FROM json_to_recordset({told}::json) AS b ({typed})"
            " ON CONFLICT (key_digest) DO NOTHING RETURNING key_digest, id",
            columns=Sql(", ".join(_NAMES)),
            program=program_id,
            now=now,
            told=told,
            typed=Sql(", ".join(f"{name} {kind}" for name, kind in _COLUMNS)),
        )
    )
    return dict(rows)


def _told(row: tuple[Any, ...]) -> str:
    given = {name: value for name, value in zip(_NAMES, row, strict=True) if value is not None}
    lines = given.pop("lines", None)
    text = _encode(given)
    if lines is None:
        return text
    return f'{text[:-1]},"lines":{lines if isinstance(lines, str) else _encode(lines)}}}'


def earn(booking_ids: Sequence[int], kind: str, *, setup: Setup, now: datetime) -> int:
    """Let the rules give points for these bookings of one kind (at most one of each member); the points given."""
    rules = setup.rules_for(kind)
    if not rules or not booking_ids:
        return 0
    rules = _with_budgets(rules, setup)
    before = award.ctes(rules, booking_ids, zone=setup.zone, now=now)
    given = posting.post(award.MOVES, before=before, new_lots=True, now=now, fact="points.earned")[1]
    if budgeted := [rule.id for rule in rules if rule.rest is not None]:
        execute(
            sql(
                "UPDATE earning_rule r SET used_points = r.used_points + l.points FROM (SELECT rule_id, sum(amount) AS"
                " points FROM lot WHERE booking_id = ANY({ids}::bigint[]) AND rule_id = ANY({rules}::int[]) GROUP BY 1)"
                " l WHERE r.id = l.rule_id",
                ids=list(booking_ids),
                rules=budgeted,
            )
        )
    return given


def _with_budgets(rules: list[Rule], setup: Setup) -> list[Rule]:
    """The rules with what their budgets have left; their counters are locked until the transaction ends."""
    limits = {rule.id: limit for rule in rules if (limit := budget_points(rule, setup)) is not None}
    if not limits:
        return rules
    query = sql(
        "SELECT id, used_points FROM earning_rule WHERE id = ANY({ids}::int[]) ORDER BY id FOR NO KEY UPDATE",
        ids=sorted(limits),
    )
    rest = {rule_id: max(0, limits[rule_id] - used) for rule_id, used in fetch(query)}
    return [replace(rule, rest=rest[rule.id]) if rule.id in rest else rule for rule in rules]


def budget_points(rule: Rule, setup: Setup) -> int | None:
    """A rule's whole budget in points; None for one without."""
    budget = rule.document.budget
    limits = [] if budget.points is None else [budget.points]
    value = setup.settings_of(rule.wallet_id).value
    if budget.money is not None and value:
        limits.append(int(budget.money / value))
    return min(limits) if limits else None


def _tell(booking_ids: list[int], setup: Setup) -> None:
    """Put the purchases into the timeline, where segments, flows and attribution look for them."""
    if not booking_ids or not setup.document.purchase_event:
        return
    rows = sql(
        "SELECT m.customer_id, b.occurred_at, b.id, jsonb_strip_nulls(jsonb_build_object('amount', b.amount,"
        " 'currency', b.currency, 'store', b.store, 'channel', b.channel, 'transaction', b.reference, 'items',"
        " CASE WHEN b.lines -> 0 ? 'sku' THEN b.lines END))"
        " FROM booking b JOIN member m ON m.id = b.member_id WHERE b.id = ANY({ids}::bigint[])",
        ids=array(booking_ids),
    )
    facts.write(setup.document.purchase_event, rows)
