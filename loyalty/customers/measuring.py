"""Counting the quality of profiles once a day, and reading the counts and the people behind them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from time import monotonic
from typing import Any

from django.db import connection, transaction
from django.utils.timezone import localtime

from loyalty.customers.catalog import attribute_fields
from loyalty.customers.models import Customer, QualityFigure
from loyalty.customers.quality import MISSING, filled
from loyalty.kit.quality import QualityCheck, quality_checks
from loyalty.kit.sql import fetch, sql

ALL = "*"
# Beyond this many learned fields, those that fewest people have are not counted.
FIELDS_MAX = 200
SECONDS = 20.0
TREND_DAYS = 90
KEPT_DAYS = 730
# Up to this many people a day's figures are looked at again when their number doubles; that asks for at most two scans.
GROWING_MAX = 100_000
# One worker counts at a time.
LOCK = 0x7175616C


def measure(*, now: datetime) -> int:
    """Count what was not counted today, for at most about 20 s; how many figures were written."""
    day = localtime(now).date()
    if _outgrown(day):
        QualityFigure.objects.filter(day=day).delete()
    if not Customer.objects.exists():
        return 0
    done = set(QualityFigure.objects.filter(day=day).values_list("key", flat=True))
    until = monotonic() + SECONDS
    written = 0
    if ALL not in done:
        written += _write(day, now, _fill, cleanup=True)
    for check in quality_checks():
        if check.key not in done and monotonic() < until:
            written += _write(day, now, lambda check=check: _count(check, now))  # type: ignore[misc]
    return written


def _outgrown(day: date) -> bool:
    """Whether there are more than twice as many people as were counted today: a first import has gone on since."""
    counted = QualityFigure.objects.filter(day=day, key=ALL).values_list("total", flat=True).first()
    if counted is None or counted > GROWING_MAX:
        return False
    query = sql("SELECT count(*) FROM (SELECT FROM customer LIMIT {most}) AS counted", most=2 * counted + 1)
    return bool(fetch(query)[0][0] > 2 * counted)


def _write(day: date, now: datetime, count: Any, *, cleanup: bool = False) -> int:
    with transaction.atomic():
        if not fetch(sql("SELECT pg_try_advisory_xact_lock({lock})", lock=LOCK))[0][0]:
            return 0
        if cleanup:
            QualityFigure.objects.filter(day__lt=day - timedelta(days=KEPT_DAYS)).delete()
        figures = [
            QualityFigure(day=day, key=key, found=found, total=total, computed_at=now)
            for key, (found, total) in count().items()
        ]
        QualityFigure.objects.bulk_create(figures, ignore_conflicts=True)
        return len(figures)


def _fill() -> dict[str, tuple[int, int]]:
    """{missing:<field>: (people without a value, known people)}, and `*`: (known people, everybody)."""
    counted: dict[str, int] = dict(fetch(filled()))
    people = counted.pop(ALL)
    everybody = fetch(sql("SELECT count(*) FROM customer"))[0][0]
    fields = attribute_fields()
    usual = [key for key, field in fields.items() if not field.learned]
    learned = sorted((key for key in fields if fields[key].learned), key=lambda key: (-counted.get(key, 0), key))
    figures = {MISSING + key: (people - counted.get(key, 0), people) for key in (*usual, *learned[:FIELDS_MAX])}
    return {ALL: (people, everybody), **figures}


def _count(check: QualityCheck, now: datetime) -> dict[str, tuple[int, int]]:
    query = sql(
        "SELECT (SELECT count(*) FROM ({people}) AS concerned), (SELECT count(*) FROM customer)",
        people=check.people(now),
    )
    found, total = fetch(query)[0]
    return {check.key: (found, total)}


def measure_again(*, now: datetime) -> None:
    """Forget today's figures, so that they are counted anew."""
    QualityFigure.objects.filter(day=localtime(now).date()).delete()


@dataclass(frozen=True, slots=True)
class Figure:
    """The newest count of a check, and the shares (percent) of the days before it, oldest first."""

    key: str
    found: int
    total: int
    computed_at: datetime
    trend: list[tuple[date, float]]

    @property
    def share(self) -> float:
        """Percent of all."""
        return 100 * self.found / self.total if self.total else 0.0


def figures(*, now: datetime) -> Mapping[str, Figure]:
    """The newest figure of every check by key, with its trend; one query."""
    since = localtime(now).date() - timedelta(days=TREND_DAYS)
    found: dict[str, list[QualityFigure]] = {}
    for one in QualityFigure.objects.filter(day__gte=since).order_by("day"):
        found.setdefault(one.key, []).append(one)
    return {
        key: Figure(
            key,
            days[-1].found,
            days[-1].total,
            days[-1].computed_at,
            [(one.day, 100 * one.found / one.total if one.total else 0.0) for one in days],
        )
        for key, days in found.items()
    }


@dataclass(frozen=True, slots=True)
class People:
    """A page of the people behind a number: (customer, what they share with others); `after` leads to the next
    one."""

    rows: list[tuple[Customer, str]]
    after: int | None


def people(check: QualityCheck, *, now: datetime, after: str | None = None, limit: int = 50) -> People:
    """The people whom a check finds, those who share something beside each other; two queries."""
    same = sql("p.same") if check.grouped else sql("''::text")
    last = int(after) if after and after.isdigit() and len(after) < 19 else 0
    query = sql(
        "WITH p AS MATERIALIZED ({people}),"
        " last AS (SELECT coalesce((SELECT {same} FROM p WHERE customer_id = {last} LIMIT 1), '') AS same)"
        " SELECT {same}, p.customer_id FROM p, last WHERE ({same}, p.customer_id) > (last.same, {last}::bigint)"
        " ORDER BY 1, 2 LIMIT {limit}",
        same=same,
        people=check.people(now),
        last=last,
        limit=limit + 1,
    )
    with transaction.atomic(), connection.cursor() as cursor:
        # A page is no reason to keep the database busy for long.
        cursor.execute("SET LOCAL statement_timeout = '20s'")
        found = fetch(query)
    known = Customer.objects.in_bulk([customer_id for _, customer_id in found[:limit]])
    rows = [(known[customer_id], shared) for shared, customer_id in found[:limit] if customer_id in known]
    return People(rows, found[limit - 1][1] if len(found) > limit else None)
