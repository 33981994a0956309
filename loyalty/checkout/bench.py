"""Workloads of the till: purchases one by one over HTTP, alone and while another process writes in bulk."""

import io
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from typing import Any

from django.core.wsgi import get_wsgi_application

from loyalty.access.operations import create_api_key
from loyalty.events import partitions
from loyalty.kit.applying import apply_documents
from loyalty.kit.benches import Done, Target, Workload, bench
from loyalty.kit.sql import execute, fetch, sql
from loyalty.program import membership, purchases
from loyalty.program.setup import load

DOCUMENTS: list[dict[str, Any]] = [
    {
        "kind": "program",
        "key": "bench",
        "wallets": [{"key": "points", "pending": "14d", "value": 0.01}],
        "tiers": {"by": "points", "window": "12 months"},
    },
    {"kind": "tier", "key": "gold", "rank": 1, "threshold": 2000},
    {"kind": "earning_rule", "key": "base", "type": "per_purchase", "points": 1},
    {"kind": "voucher_pool", "key": "ten", "benefit": {"type": "percent", "percent": 10},
     "codes": {"type": "shared", "code": "TEN"}},
]  # fmt: skip
BATCH = 5_000
# Writes batches until its input is closed; says how many purchases, and in how many seconds.
_BULK = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty.settings")
import django
django.setup()
from loyalty.checkout.bench import bulk
bulk(int(sys.argv[1]), sys.argv[2])
"""


def bulk(customers: int, run: str) -> None:
    """Write batches of purchases until the input ends."""
    import select

    setup, began, done = load(), time.perf_counter(), 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        now = datetime.now(UTC)
        rows = [
            {
                **receipt(random, f"bulk-{run}-{done + place}", customers),
                "occurred_at": now.isoformat(),
            }
            for place in range(BATCH)
        ]
        purchases.commit(rows=rows, setup=setup, now=now)
        done += BATCH
    sys.stdout.write(f"{done} {time.perf_counter() - began}")


def receipt(draw: Any, identifier: str, customers: int) -> dict[str, Any]:
    """A purchase of two lines."""
    return {
        "id": identifier,
        "customer": f"c{draw.randrange(customers) + 1}",
        "store": "cologne",
        "items": [
            {"sku": "a", "brand": "acme", "amount": draw.randrange(10_000) / 100},
            {"sku": "b", "category": "food", "quantity": 2, "amount": draw.randrange(5_000) / 100},
        ],
    }


@bench(
    "till",
    unit="purchase",
    n=500,
    customers=100_000,
    targets=(Target("p95_ms", at_most=50), Target("loaded_p95_ms", at_most=300)),
)
class TillCalls(Workload):
    """Commits through the whole API in one process, all but the socket: alone, with a voucher, and while another
    process writes purchases in bulk. The raw limit is the operation alone."""

    def prepare(self) -> None:
        """Members, a key, and one call so that nothing is loaded for the first time."""
        now = datetime.now(UTC)
        apply_documents(DOCUMENTS, now=now)
        partitions.ensure(now - timedelta(days=2), now)
        execute(
            sql(
                "INSERT INTO customer (external_id, created_at, updated_at) SELECT 'c' || n, {now}, {now}"
                " FROM generate_series(1, {count}) AS n",
                now=now,
                count=self.size.customers,
            )
        )
        setup = load()
        ids = [row[0] for row in fetch("SELECT id FROM customer")]
        for start in range(0, len(ids), 100_000):
            membership.join(ids[start : start + 100_000], setup=setup, now=now)
        self._application = get_wsgi_application()
        self._key = create_api_key(name="bench", scopes=["loyalty:write"], now=now).secret
        self._run = 0
        self._call(receipt(random, "first", self.size.customers))

    def before_run(self) -> None:
        self._run += 1

    def run(self) -> Done:
        draw = random.Random(self._run)  # noqa: S311  # nothing secret
        began = time.perf_counter()
        alone = self._times(draw, "alone", {})
        seconds = time.perf_counter() - began
        vouchers = self._times(draw, "voucher", {"codes": ["TEN"]})
        loaded, rate = self._loaded(draw)
        extras = {
            "p50_ms": _cut(alone, 50), "p95_ms": _cut(alone, 95), "voucher_p50_ms": _cut(vouchers, 50),
            "voucher_p95_ms": _cut(vouchers, 95), "loaded_p50_ms": _cut(loaded, 50), "loaded_p95_ms": _cut(loaded, 95),
            "bulk_rate_beside": rate,
        }  # fmt: skip
        return Done(self.size.n, seconds=seconds, extras=extras)

    def _times(self, draw: random.Random, name: str, more: dict[str, Any]) -> list[float]:
        found = []
        for place in range(self.size.n):
            body = {**receipt(draw, f"{name}-{self._run}-{place}", self.size.customers), **more}
            start = time.perf_counter()
            self._call(body)
            found.append((time.perf_counter() - start) * 1000)
        return found

    def _loaded(self, draw: random.Random) -> tuple[list[float], int]:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter, our own text
            [sys.executable, "-c", _BULK, str(self.size.customers), str(self._run)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(os.environ),
            text=True,
        )
        time.sleep(2)
        found = self._times(draw, "loaded", {})
        told, _ = process.communicate("stop\n")
        done, seconds = told.split()
        return found, round(int(done) / float(seconds))

    def raw(self) -> int:
        """The same purchases by the operation alone."""
        draw, setup = random.Random(0), load()  # noqa: S311  # nothing secret
        for _ in range(self.size.n):
            row = receipt(draw, f"raw-{time.perf_counter_ns()}", self.size.customers)
            purchases.commit(rows=[row], setup=setup, now=datetime.now(UTC))
        return self.size.n

    def _call(self, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/api/v1/loyalty/transactions/commit",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "8000",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_AUTHORIZATION": f"Bearer {self._key}",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(content)),
            "wsgi.input": io.BytesIO(content),
            "wsgi.url_scheme": "http",
        }
        statuses: list[Any] = []

        def begin(status: str, headers: list[tuple[str, str]], error: Any = None, /) -> Callable[[bytes], object]:
            statuses.append(status)
            return statuses.append

        answer = b"".join(self._application(environ, begin))
        if not statuses[0].startswith("200"):
            raise RuntimeError(f"the API answered {statuses[0]}: {answer[:300]!r}")


def _cut(times: list[float], percent: int) -> float:
    return round(quantiles(times, n=100)[percent - 1], 1)
