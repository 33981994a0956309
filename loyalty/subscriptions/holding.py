"""Contracts are held before anything of theirs changes: their customers first, as everywhere, then they."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from loyalty.events import facts, partitions
from loyalty.kit.sql import Sql, execute, fetch, sql

BATCH = 2_000


def hold(ids: Sequence[int]) -> list[int]:
    """Keep these contracts as they are until the transaction ends; those whose customer is still there."""
    wanted = sorted(set(ids))
    fetch(
        sql(
            "SELECT id FROM customer WHERE id IN (SELECT customer_id FROM subscription WHERE id = ANY({ids}::bigint[]))"
            " ORDER BY id FOR KEY SHARE",
            ids=wanted,
        )
    )
    rows = fetch(
        sql(
            "SELECT id FROM subscription WHERE id = ANY({ids}::bigint[]) AND customer_id IS NOT NULL"
            " ORDER BY id FOR NO KEY UPDATE",
            ids=wanted,
        )
    )
    return [row[0] for row in rows]


def due(condition: Sql, *, limit: int = BATCH) -> list[int]:
    """Contracts `s` for which the condition holds, not more than can be held at once."""
    query = sql("SELECT s.id FROM subscription s WHERE {c} ORDER BY s.term_ends_at LIMIT {n}", c=condition, n=limit)
    return [row[0] for row in fetch(query)]


def told(rows: Sql, now: datetime) -> Sql:
    """What a fact says about the contracts in `rows`, a CTE or a subquery with the columns of a contract."""
    return sql(
        "SELECT r.customer_id, {now}::timestamptz, r.id, jsonb_build_object('plan', p.key, 'contract', r.number,"
        " 'fee', r.fee, 'currency', r.currency) FROM {rows} r JOIN plan p ON p.id = r.plan_id"
        " WHERE r.customer_id IS NOT NULL",
        now=now,
        rows=rows,
    )


def tell(fact: str, ids: Sequence[int], *, now: datetime) -> None:
    """Write a fact of these contracts into the timelines of their customers."""
    if ids:
        rows = sql("(SELECT * FROM subscription WHERE id = ANY({ids}::bigint[]))", ids=list(ids))
        partitions.ensure(now, now)
        facts.write(fact, told(rows, now))


def write_to(
    kind: str, ids: Sequence[int], *, now: datetime, details: dict[str, Any] | None = None,
    declaration_id: int | None = None,
) -> int:  # fmt: skip
    """Let the customers of these contracts be written to; how many letters."""
    return execute(
        sql(
            "INSERT INTO subscription_notice (kind, customer_id, subscription_id, declaration_id, facts, created_at)"
            " SELECT {kind}, customer_id, id, {declaration}::bigint, {facts}::jsonb, {now} FROM subscription"
            " WHERE id = ANY({ids}::bigint[]) AND customer_id IS NOT NULL ORDER BY id",
            kind=kind,
            declaration=declaration_id,
            facts=Jsonb(details or {}),
            now=now,
            ids=list(ids),
        )
    )
