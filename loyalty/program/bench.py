"""Workloads of the ledger: purchases in bulk and one by one, and the end of a month."""

import gc
import random
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from time import perf_counter
from typing import Any

from django.db import connection, transaction

from loyalty.events import partitions
from loyalty.kit.applying import apply_documents
from loyalty.kit.benches import Done, Target, Workload, bench
from loyalty.kit.sql import execute, fetch, sql
from loyalty.program import membership, movements, purchases, tiering
from loyalty.program.setup import Setup, load

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BATCH = 5_000
SINGLES = 300
DOCUMENTS: list[dict[str, Any]] = [
    {
        "kind": "program",
        "key": "bench",
        "wallets": [{"key": "points", "pending": "14d", "value": 0.01}],
        "tiers": {"by": "points", "window": "12 months"},
    },
    {"kind": "tier", "key": "silver", "rank": 1, "threshold": 500},
    {"kind": "tier", "key": "gold", "rank": 2, "threshold": 2000},
    {"kind": "earning_rule", "key": "base", "type": "per_purchase", "points": 1, "priority": 10},
    {
        "kind": "earning_rule",
        "key": "double",
        "type": "multiplier",
        "factor": 2,
        "only": {"brand": ["acme"]},
        "priority": 20,
    },
]


def _people(count: int) -> Setup:
    """Customers who are members of a program with two rules and two tiers."""
    apply_documents(DOCUMENTS, now=NOW)
    partitions.ensure(NOW - timedelta(days=2), NOW)
    execute(
        sql(
            "INSERT INTO customer (external_id, created_at, updated_at) SELECT 'c' || n, {now}, {now}"
            " FROM generate_series(1, {count}) AS n",
            now=NOW,
            count=count,
        )
    )
    setup = load()
    ids = [row[0] for row in fetch("SELECT id FROM customer")]
    for start in range(0, len(ids), 100_000):
        membership.join(ids[start : start + 100_000], setup=setup, now=NOW)
    return setup


@bench(
    "ledger",
    unit="purchase",
    n=50_000,
    customers=100_000,
    targets=(Target("rate", at_least=30_000), Target("single_p95_ms", at_most=50)),
)
class Ledger(Workload):
    """Receipts of two lines in batches of 5,000, then one by one; the raw limit writes the same rows without rules."""

    def prepare(self) -> None:
        self._setup = _people(self.size.customers)
        self._run = 0

    def before_run(self) -> None:
        self._run += 1
        draw = random.Random(self._run)  # noqa: S311  # nothing secret
        self._batches = [
            [self._receipt(draw, f"{self._run}-{start + place}") for place in range(min(BATCH, self.size.n - start))]
            for start in range(0, self.size.n, BATCH)
        ]
        self._singles = [self._receipt(draw, f"{self._run}-single-{place}") for place in range(SINGLES)]
        # Receipts that wait for their turn are not the product's: walking them over and over cost a quarter of the run.
        gc.freeze()

    def _receipt(self, draw: random.Random, identifier: str) -> dict[str, Any]:
        return {
            "id": identifier,
            "customer": f"c{draw.randrange(self.size.customers) + 1}",
            "occurred_at": NOW - timedelta(seconds=draw.randrange(86_400)),
            "store": "cologne",
            "items": [
                {"sku": "a", "brand": draw.choice(["acme", "other"]), "amount": draw.randrange(10_000) / 100},
                {"sku": "b", "category": "food", "quantity": 2, "amount": draw.randrange(5_000) / 100},
            ],
        }

    def run(self) -> Done:
        began = perf_counter()
        done = 0
        for rows in self._batches:
            found = purchases.commit(rows=rows, setup=self._setup, now=NOW)
            done += len(rows) - len(found.rejected)
        seconds = perf_counter() - began
        single = []
        for row in self._singles:
            start = perf_counter()
            purchases.commit(rows=[row], setup=load(), now=NOW)
            single.append((perf_counter() - start) * 1000)
        cuts = quantiles(single, n=100)
        extras = {"single_p50_ms": round(cuts[49], 2), "single_p95_ms": round(cuts[94], 2)}
        return Done(done, seconds=seconds, extras=extras)

    def raw(self) -> int:
        """A booking, a lot, an entry, a balance and two events per purchase, from numbers, in batches."""
        for start in range(0, self.size.n, BATCH):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(
                    "CREATE TEMP TABLE IF NOT EXISTS raw_purchase (n int, member_id bigint, customer_id bigint)"
                    " ON COMMIT DELETE ROWS"
                )
                cursor.execute(
                    "INSERT INTO raw_purchase SELECT 1, id, customer_id FROM member WHERE id > %(skip)s"
                    " ORDER BY id LIMIT %(size)s",
                    {"skip": start % max(1, self.size.customers - BATCH), "size": min(BATCH, self.size.n - start)},
                )
                cursor.execute(_RAW, {"now": NOW, "wallet": next(iter(self._setup.wallet_ids.values()))})
        return self.size.n


_RAW = """
WITH booked AS (
    INSERT INTO booking (program_id, member_id, kind, occurred_at, recorded_at, key_digest, amount, lines)
    SELECT 1, member_id, 'purchase', %(now)s, %(now)s, gen_random_uuid(), 50,
        '[{"no": 1, "sku": "a", "gross": "25.00", "quantity": "1"}, {"no": 2, "sku": "b", "gross": "25.00"}]'
    FROM raw_purchase RETURNING id, member_id
), lots AS (
    INSERT INTO lot (member_id, wallet_id, booking_id, rule_id, amount, pending, earned_at, releases_at, line_numbers,
        parts)
    SELECT member_id, %(wallet)s, id, 1, 50, 50, %(now)s, %(now)s, '{1,2}', '{25,25}' FROM booked
    RETURNING id, member_id, booking_id
), entries AS (
    INSERT INTO entry (booking_id, member_id, wallet_id, lot_id, from_account, to_account, amount, at)
    SELECT booking_id, member_id, %(wallet)s, id, 11, 1, 50, %(now)s FROM lots
), balances AS (
    UPDATE member_balance b SET pending = b.pending + 50 FROM raw_purchase r
    WHERE b.member_id = r.member_id AND b.wallet_id = %(wallet)s
)
INSERT INTO event (customer_id, type_id, occurred_at, received_at, properties)
SELECT customer_id, 1, %(now)s, %(now)s, '{"amount": 50, "currency": "EUR"}' FROM raw_purchase, generate_series(1, 2)
"""


@bench("month_end", unit="member", n=1_000_000, targets=(Target("seconds", at_most=60),))
class MonthEnd(Workload):
    """One lot of each member expires, and every member's tier is looked at; a fifth of them fall."""

    def prepare(self) -> None:
        self._setup = _people(self.size.n)
        self._wallet = next(iter(self._setup.wallet_ids.values()))

    def before_run(self) -> None:
        """Each member has a lot of long ago that expires now, and every fifth a tier that is not earned any more."""
        execute("SELECT set_config('loyalty.ledger_rewrite', 'on', false)")
        for table in ("entry", "booking", "lot"):
            execute(f"TRUNCATE {table}")
        execute(
            sql(
                "INSERT INTO lot (member_id, wallet_id, booking_id, rule_id, amount, active, earned_at, expires_at)"
                " SELECT id, {wallet}, 0, 1, 100, 100, {earned}, {now} FROM member",
                wallet=self._wallet,
                earned=NOW - timedelta(days=1000),
                now=NOW,
            )
        )
        execute(sql("UPDATE member_balance SET active = 100"))
        execute(sql("UPDATE member SET tier_id = CASE WHEN id % 5 = 0 THEN {t}::int END", t=self._setup.tiers[0].id))
        execute("ANALYZE lot, member, member_balance")

    def run(self) -> Done:
        began = perf_counter()
        lots = 0
        while found := movements.expire(self._setup, now=NOW):
            lots += found
        expired = perf_counter() - began
        done = tiering.retier_all(self._setup, now=NOW)
        seconds = perf_counter() - began
        extras = {"expire_s": round(expired, 2), "tiers_s": round(seconds - expired, 2), "fallen": done.fallen}
        return Done(lots, extras=extras)
