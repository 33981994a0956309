"""Monthly statements: made a few days after the month's end, then never changed; payments are entries of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db import transaction

from loyalty.kit.periods import local
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql
from loyalty.partners import names
from loyalty.partners.models import Partner, SettlementEntry, Statement

# Tills that were offline send their receipts within this time.
GRACE = timedelta(days=3)
CENT = Decimal("0.01")


def cents(amount: Decimal) -> Decimal:
    """To the cent, halves away from 0."""
    return amount.quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Bill:
    """The sums of a statement; `rounding` is what the exact entries are more than the cents of its lines."""

    lines: list[dict[str, Any]]
    net: Decimal
    tax: Decimal
    rounding: Decimal

    @property
    def gross(self) -> Decimal:
        return self.net + self.tax


def bill(rows: Sequence[tuple[int, Decimal | None, int | None, Decimal]], *, tax: Decimal) -> Bill:
    """The bill of (kind, rate, points, exact amount) rows; each line is rounded to cents by itself. Tax is on fees."""
    lines, net, exact, fees = [], Decimal(0), Decimal(0), Decimal(0)
    for kind, rate, points, amount in sorted(rows, key=lambda row: (row[0], row[1] or 0)):
        signed = names.SIGN[kind] * amount
        rounded = cents(signed)
        exact += signed
        net += rounded
        fees += rounded if kind in (names.FEE, names.FEE_BACK) else Decimal(0)
        lines.append(
            {
                "kind": names.KINDS[kind],
                "points": None if points is None else int(points),
                "rate": None if rate is None else f"{rate.normalize():f}",
                "amount": str(rounded),
            }
        )
    return Bill(lines, net, cents(fees * tax / 100), exact - net)


def month_of(instant: datetime, zone: str) -> date:
    """The first day of the month in which the instant lies there."""
    return fetch(sql("SELECT date_trunc('month', {at}::timestamptz AT TIME ZONE {zone})::date", at=instant, zone=zone))[
        0
    ][0]


def following(month: date) -> date:
    """The first day of the next month."""
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def close_due(*, now: datetime) -> int:
    """Make the statements of months that are over, one per partner and month, oldest first; how many."""
    made = 0
    for partner in Partner.objects.order_by("id"):
        first = fetch(
            sql(
                "SELECT min(at) FROM settlement_entry WHERE partner_id = {id} AND statement_id IS NULL"
                " AND kind = ANY({trade})",
                id=partner.pk,
                trade=list(names.TRADE),
            )
        )[0][0]
        if first is None:
            continue
        # What came too late for its own month stands on the statement of the month before this one.
        ended = month_of(now - GRACE, partner.timezone)
        month = (ended - timedelta(days=1)).replace(day=1)
        if first < local(ended, time(0), partner.timezone) and close(partner=partner, month=month, now=now):
            made += 1
    return made


@transaction.atomic
def close(*, partner: Partner, month: date, now: datetime) -> Statement | None:
    """Make the partner's statement of everything until the month's end that is on none yet; None when there is one, or
    nothing to bill."""
    Partner.objects.select_for_update(no_key=True).get(pk=partner.pk)
    if Statement.objects.filter(partner=partner, month=month).exists():
        return None
    number = f"{partner.key}-{month:%Y-%m}"
    statement = Statement(partner=partner, number=number, month=month, net=0, tax=0, gross=0, currency="", made_at=now)
    statement.pk = fetch("SELECT nextval(pg_get_serial_sequence('partner_statement', 'id'))")[0][0]
    rows = fetch(
        sql(
            "WITH billed AS (UPDATE settlement_entry SET statement_id = {statement} WHERE partner_id = {partner}"
            " AND statement_id IS NULL AND kind = ANY({trade}) AND at < {end} RETURNING kind, rate, points, amount)"
            " SELECT kind, rate, sum(points), sum(amount) FROM billed GROUP BY kind, rate",
            statement=statement.pk,
            partner=partner.pk,
            trade=list(names.TRADE),
            end=local(following(month), time(0), partner.timezone),
        )
    )
    if not rows:
        return None
    found = bill(rows, tax=Decimal(str(partner.definition.get("tax", 0))))
    statement.lines, statement.net, statement.tax, statement.gross = found.lines, found.net, found.tax, found.gross
    statement.currency = fetch(
        sql("SELECT coalesce(definition ->> 'currency', 'EUR') FROM program WHERE id = {id}", id=partner.program_id)
    )[0][0]
    statement.save(force_insert=True)
    entries = [
        _entry(statement, names.STATEMENT, names.UNBILLED, names.BILLED, found.net, now),
        _entry(statement, names.ROUND, names.UNBILLED, names.ROUNDING, found.rounding, now),
        _entry(statement, names.TAXED, names.TAX, names.BILLED, found.tax, now),
    ]
    SettlementEntry.objects.bulk_create([entry for entry in entries if entry is not None])
    return statement


def _entry(
    statement: Statement, kind: int, giver: int, taker: int, amount: Decimal, now: datetime, **more: Any
) -> SettlementEntry | None:
    """The entry of an amount; of one below 0 the other way round; None for nothing."""
    if not amount:
        return None
    if amount < 0:
        giver, taker = taker, giver
    return SettlementEntry(
        partner_id=statement.partner_id, kind=kind, at=now, from_account=giver, to_account=taker, amount=abs(amount),
        statement_id=statement.pk, **more,
    )  # fmt: skip


def paid(statement_id: int) -> Decimal:
    """What was paid on a statement: by the partner over 0, by us below."""
    return fetch(
        sql(
            "SELECT coalesce(sum(CASE WHEN to_account = {bank} THEN amount ELSE -amount END), 0)"
            " FROM settlement_entry WHERE statement_id = {id} AND kind = {payment}",
            bank=names.BANK,
            payment=names.PAYMENT,
            id=statement_id,
        )
    )[0][0]


def payments(statement_ids: Sequence[int]) -> dict[int, Decimal]:
    """What was paid on each of these statements; one query."""
    return dict(
        fetch(
            sql(
                "SELECT statement_id, sum(CASE WHEN to_account = {bank} THEN amount ELSE -amount END)"
                " FROM settlement_entry WHERE statement_id = ANY({ids}::bigint[]) AND kind = {payment} GROUP BY 1",
                bank=names.BANK,
                payment=names.PAYMENT,
                ids=list(statement_ids),
            )
        )
    )


@transaction.atomic
def pay(*, statement: Statement, amount: Decimal, reference: str, actor: str, now: datetime) -> Decimal:
    """Note a payment (over 0: the partner paid us; below 0: we paid the partner); what is still open. Raises Problems
    for more than is open."""
    Statement.objects.select_for_update(no_key=True).get(pk=statement.pk)
    rest = statement.gross - paid(statement.pk)
    wrong = []
    if not amount or amount != cents(amount):
        wrong.append(Problem("amount", "is no amount of money", "write for example 120.50"))
    elif (amount > 0) != (rest > 0) or abs(amount) > abs(rest):
        wrong.append(Problem("amount", f"{cents(rest)} {statement.currency} are open", f"note at most {cents(rest)}"))
    if wrong:
        raise Problems(wrong)
    entry = _entry(
        statement, names.PAYMENT, names.BILLED, names.BANK, amount, now, reference=reference or None, actor=actor
    )
    if entry:
        entry.save(force_insert=True)
    return cents(rest - amount)


def lines_of(statement_id: int, *, after: int = 0, limit: int = 50_000) -> list[dict[str, Any]]:
    """A page of the entries behind a statement, for its CSV. Receipts have the number of the till; nobody is named."""
    rows = fetch(
        sql(
            "SELECT e.id, e.at, e.kind, b.reference, b.store, e.points, e.rate, e.amount FROM settlement_entry e"
            " LEFT JOIN booking b ON b.id = e.booking_id WHERE e.statement_id = {id} AND e.kind = ANY({trade})"
            " AND e.id > {after} ORDER BY e.id LIMIT {limit}",
            id=statement_id,
            trade=list(names.TRADE),
            after=after,
            limit=limit,
        )
    )
    return [
        {
            "entry": entry,
            "at": at,
            "kind": names.KINDS[kind],
            "receipt": reference,
            "store": store,
            "points": points,
            "rate": rate,
            "amount": names.SIGN[kind] * amount,
        }
        for entry, at, kind, reference, store, points, rate, amount in rows
    ]


def balances(partner_id: int) -> dict[str, Decimal]:
    """What the partner owes us (over 0) or we it, by account: not on a statement yet, on one."""
    rows = fetch(
        sql(
            "SELECT a, coalesce(sum(CASE WHEN to_account = a THEN amount ELSE -amount END), 0)"
            " FROM unnest({accounts}::int[]) AS a LEFT JOIN settlement_entry e"
            " ON e.partner_id = {partner} AND a IN (e.from_account, e.to_account) GROUP BY a",
            accounts=[names.UNBILLED, names.BILLED],
            partner=partner_id,
        )
    )
    return {names.ACCOUNTS[account]: amount for account, amount in rows}
