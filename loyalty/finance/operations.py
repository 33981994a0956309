"""Keeps the books: follows the points ledger, computes the open months, closes those that are over."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from time import perf_counter
from typing import Any

from django.db import connection, transaction

from loyalty.finance import books, breakage, pnl_line
from loyalty.finance.books import Flow
from loyalty.finance.breakage import Curve
from loyalty.finance.definition import ValuationDocument
from loyalty.finance.models import BookMonth, Valuation
from loyalty.kit.documents import Change
from loyalty.kit.periods import local
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, execute, fetch, sql
from loyalty.program import names as ledger
from loyalty.program.setup import Setup, load

EVERY = timedelta(days=1)
LOCK = 0x66_69_6E
# The scan of the ledger is joined with its lots: both must fit.
MEMORY = "256MB"
OPEN = Sql(f"({ledger.PENDING}, {ledger.ACTIVE}, {ledger.LOCKED})")

_FOLLOW = """INSERT INTO point_flow (wallet_id, cohort, month, counter, incoming, points)
SELECT e.wallet_id, date_trunc('month', coalesce(l.earned_at, e.at) AT TIME ZONE {zone})::date,
    date_trunc('month', e.at AT TIME ZONE {zone})::date,
    CASE WHEN e.to_account IN {open} THEN e.from_account ELSE e.to_account END, e.to_account IN {open}, sum(e.amount)
FROM entry e LEFT JOIN lot l ON l.id = e.lot_id
WHERE e.wallet_id = ANY({wallets}::int[]) AND ({since}::timestamptz IS NULL OR e.at >= {since}::timestamptz)
    AND (e.to_account IN {open}) <> (e.from_account IN {open})
GROUP BY 1, 2, 3, 4, 5"""


@dataclass(frozen=True, slots=True)
class Measured:
    """Months that were computed, and how many of them are closed now."""

    months: int
    closed: int


@transaction.atomic
def save_valuation(document: ValuationDocument, *, now: datetime) -> Change:
    """Set how the program's points are valued; raises Problems. Months that are closed stay as they are."""
    setup = load(document.key, "key")
    problems = [
        Problem(f"costs.{key}", "is no wallet of the program", f"known: {', '.join(setup.wallet_ids)}")
        for key in document.costs
        if key not in setup.wallet_ids
    ]
    if problems:
        raise Problems(problems)
    found, _ = Valuation.objects.select_for_update().get_or_create(program_id=setup.id)
    before = found.definition or None
    after = {"kind": "valuation", "key": setup.key, **document.plain()}
    verdict = "created" if before is None else "unchanged" if before == after else "updated"
    if verdict != "unchanged":
        found.definition, found.measured_at = after, None
        found.save()
    return Change(kind="valuation", key=setup.key, verdict=verdict, before=before, after=after)


def document_of(valuation: Valuation | None) -> ValuationDocument:
    """How points are valued; the usual way while nobody said otherwise."""
    return ValuationDocument.model_validate(valuation.definition if valuation else {})


def cost_of(wallet: str, setup: Setup, document: ValuationDocument) -> Decimal:
    """What a point of the wallet costs."""
    settings = setup.document.wallet(wallet)
    return document.costs.get(wallet, settings.value if settings else Decimal(0))


@transaction.atomic
def measure(*, setup: Setup, now: datetime, only_due: bool = False) -> Measured | None:
    """Compute the open months of a program and close those whose time has come; None when it is not due or another
    session is at it."""
    began = perf_counter()
    if not fetch(sql("SELECT pg_try_advisory_xact_lock({class_}::int, {id})", class_=LOCK, id=setup.id))[0][0]:
        return None
    valuation, _ = Valuation.objects.get_or_create(program_id=setup.id)
    if only_due and valuation.measured_at is not None and now - valuation.measured_at < EVERY:
        return None
    document = document_of(valuation)
    last = BookMonth.objects.filter(program_id=setup.id, closed_at__isnull=False).order_by("-month").first()
    flows = _follow(setup, last)
    first = _next(last.month) if last else min((flow.month for found in flows.values() for flow in found), default=None)
    done = _books(setup, document, flows, first, last, now) if first else Measured(0, 0)
    valuation.measured_at, valuation.measure_ms = now, round((perf_counter() - began) * 1000)
    valuation.save()
    return done


def _next(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def _follow(setup: Setup, last: BookMonth | None) -> dict[str, list[Flow]]:
    """Read what the ledger booked since the last closed month into `point_flow`; all flows by wallet. One scan."""
    wallets = list(setup.wallet_ids.values())
    since = local(_next(last.month), time(0), setup.zone) if last else None
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', %s, true)", [MEMORY])
    execute(
        sql(
            "DELETE FROM point_flow WHERE wallet_id = ANY({wallets}::int[]) AND ({month}::date IS NULL"
            " OR month > {month}::date)",
            wallets=wallets,
            month=last.month if last else None,
        )
    )
    execute(sql(_FOLLOW, zone=setup.zone, open=OPEN, wallets=wallets, since=since))
    keys = {wallet_id: key for key, wallet_id in setup.wallet_ids.items()}
    found: dict[str, list[Flow]] = defaultdict(list)
    for wallet_id, *row in fetch(
        sql(
            "SELECT wallet_id, cohort, month, counter, incoming, points FROM point_flow"
            " WHERE wallet_id = ANY({wallets}::int[]) ORDER BY wallet_id, month, cohort, counter",
            wallets=wallets,
        )
    ):
        found[keys[wallet_id]].append(Flow(*row))
    return found


def _books(
    setup: Setup, document: ValuationDocument, flows: dict[str, list[Flow]], first: date, last: BookMonth | None,
    now: datetime,
) -> Measured:  # fmt: skip
    valued = [key for key in setup.wallet_ids if cost_of(key, setup, document)]
    opening = {key: Decimal(value) for key, value in (last.curves.get("closing", {}) if last else {}).items()}
    month, made, closed = first, [], 0
    before = {
        key: Curve(last.curves[key]) if last and key in last.curves else breakage.flat(_start(document))
        for key in valued
    }
    BookMonth.objects.filter(program_id=setup.id, closed_at__isnull=True).delete()
    while (start := local(month, time(0), setup.zone)) <= now:
        end = local(_next(month), time(0), setup.zone)
        # A month that is not over would look as if fewer points were spent.
        through = month if end <= now else (month - timedelta(days=1)).replace(day=1)
        after = {key: _curve(flows[key], document, through) for key in valued}
        found = [
            books.close(
                key, flows[key], month=month, cost=cost_of(key, setup, document), before=before[key], after=after[key],
                opening=opening.get(key, Decimal(0)),
            )
            for key in valued
        ]  # fmt: skip
        opening = {key: one.closing for key, one in zip(valued, found, strict=True)}
        entry = _month(setup, month, found, [flow for key in valued for flow in flows[key] if flow.month == month])
        entry.curves = {key: [round(value, 6) for value in after[key].values] for key in valued}
        entry.curves["closing"] = {key: str(value) for key, value in opening.items()}
        before = {key: Curve(entry.curves[key]) for key in valued}
        lines = pnl_line.all_lines(pnl_line.Span(setup, month, start, end, entry.rows))
        entry.lines = [
            {"key": one.key, "amount": str(books.cents(one.amount)), "quantity": one.quantity}
            | ({"parts": list(one.parts)} if one.parts else {})
            for one in lines
        ]
        entry.result = sum((books.cents(one.amount) for one in lines), Decimal(0))
        if end + timedelta(seconds=document.close_seconds) <= now:
            entry.closed_at, closed = now, closed + 1
        made.append(entry)
        month = _next(month)
    BookMonth.objects.bulk_create(made)
    return Measured(len(made), closed)


def _start(document: ValuationDocument) -> float:
    """The chance that a point is spent before there is any history."""
    return 1 - float(document.breakage.rate) / 100 if document.breakage.method == "fixed" else 1.0


def _curve(flows: Sequence[Flow], document: ValuationDocument, month: date) -> Curve:
    if document.breakage.method != "history":
        return breakage.flat(_start(document))
    seen = [flow for flow in flows if flow.month <= month]
    found = breakage.curve(books.cohorts(seen), through=month, tail=document.breakage.tail)
    # As they are stored: the next month begins with the very same chances.
    return Curve([round(value, 6) for value in found.values], found.spent, found.lost)


def _month(setup: Setup, month: date, found: Sequence[books.Books], flows: Sequence[Flow]) -> BookMonth:
    def moved(line: str, back: str = "") -> int:
        return abs(sum(flow.signed for flow in flows if flow.line in (line, back)))

    ages: list[dict[str, Any]] = [
        {
            "wallet": age.wallet, "cohort": age.cohort.isoformat(), "age": age.age, "points": age.points,
            "chance": round(age.chance, 6), "amount": str(books.cents(age.amount)),
            "worth": str(books.cents(age.worth)),
        }
        for one in found for age in one.ages
    ]  # fmt: skip
    return BookMonth(
        program_id=setup.id,
        month=month,
        opening=sum((one.opening for one in found), Decimal(0)),
        closing=sum((one.closing for one in found), Decimal(0)),
        points=sum(one.points for one in found),
        issued=moved(books.ISSUED, books.RETURNED),
        spent=moved(books.REDEEMED, books.REFUNDED),
        expired=moved(books.EXPIRED),
        rows=[
            {"line": row.line, "wallet": row.wallet, "points": row.points, "amount": str(row.amount)}
            for one in found for row in one.rows
        ],
        ages=ages,
        currency=setup.document.currency,
        timezone=setup.zone,
    )  # fmt: skip
