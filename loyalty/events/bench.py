"""`bench ingest`: events into the timeline, as the API's batches bring them."""

import gc
import io
import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction

from loyalty.access.operations import create_api_key
from loyalty.events import operations, partitions, queue
from loyalty.events.types import type_ids
from loyalty.kit.benches import Done, Target, Workload, bench
from loyalty.kit.sql import execute, fetch, sql

BATCH = 5000
COPY = "COPY event (customer_id, type_id, occurred_at, received_at, properties) FROM STDIN"
DAYS = 365
NAMES = ("page.viewed", "cart.updated", "purchase")
# Most events come within the hour; some shops send their day, or a whole history, later.
LATE = 0.05
# What the timeline holds before: a year of events, twenty to a customer.
STORED_PER_CUSTOMER = 20
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@bench("ingest", unit="event", n=200_000, customers=100_000, targets=(Target("rate", at_least=30_000),))
class Ingest(Workload):
    """Batches of 5,000 with ids, 10 % duplicates, 5 % late, one name subscribed; the raw limit COPYs the same rows.

    The timeline holds 20 events a customer before: `--customers 1000000` fills it with 20 million.
    """

    batch = BATCH

    def prepare(self) -> None:
        """Customers, and their year of events with as many keys."""
        type_ids(NAMES)
        partitions.ensure(NOW - timedelta(days=DAYS), NOW)
        queue.subscribe("bench", ["purchase"])
        execute(
            sql(
                """INSERT INTO customer (external_id, created_at, updated_at)
                SELECT 'c' || n, {now}, {now} FROM generate_series(1, {count}) AS n""",
                now=NOW,
                count=self.size.customers,
            )
        )
        execute(
            sql(
                """
                INSERT INTO event (customer_id, type_id, occurred_at, received_at, properties)
                SELECT c.id, t.id, {now}::timestamptz - random() * make_interval(days => {days}), {now},
                       '{{"amount": 12.5, "currency": "EUR"}}'
                FROM customer c, generate_series(1, {each}) AS n
                JOIN event_type t ON t.name = ({names}::text[])[1 + n % 3]""",
                now=NOW,
                days=DAYS,
                each=STORED_PER_CUSTOMER,
                names=list(NAMES),
            )
        )
        execute("INSERT INTO event_key (digest, received_at) SELECT md5('stored:' || id)::uuid, received_at FROM event")
        self._run = 0

    def before_run(self) -> None:
        self._run += 1
        self._batches = self._made(f"run-{self._run}")
        execute("TRUNCATE event_queue")
        # A server does not hold 200,000 events that its garbage collector walks over again and again.
        gc.freeze()

    def run(self) -> Done:
        accepted = duplicates = 0
        for events in self._batches:
            taken = operations.intake(events=events, now=NOW)
            accepted, duplicates = accepted + taken.accepted, duplicates + taken.duplicates
        return Done(accepted + duplicates, extras={"accepted": accepted, "duplicates": duplicates})

    def before_raw(self) -> None:
        (self._customer_id,) = fetch("SELECT min(id) FROM customer")[0]
        self._types = type_ids(NAMES)
        self._texts = [self._raw_text(events) for events in self._made("raw")]

    def raw(self) -> int:
        """Straight into the timeline: known people, known types, no keys, no queue, one transaction per batch."""
        for text in self._texts:
            with transaction.atomic(), connection.cursor() as cursor, cursor.copy(COPY) as copy:
                copy.write(text)
        return sum(text.count("\n") for text in self._texts)

    def _made(self, tag: str) -> list[list[dict[str, Any]]]:
        draw = random.Random(tag)  # noqa: S311  # nothing secret
        made = []
        for start in range(0, self.size.n, self.batch):
            events = []
            for place in range(start, min(start + self.batch, self.size.n)):
                again = start and draw.random() < 0.1
                late = draw.random() < LATE
                at = NOW - timedelta(seconds=draw.randrange(DAYS * 86_400 if late else 3600))
                events.append(
                    {
                        "id": f"{tag}-{draw.randrange(start) if again else place}",
                        "customer": f"c{draw.randrange(self.size.customers) + 1}",
                        "name": draw.choice(NAMES),
                        "occurred_at": at.isoformat(),
                        "properties": {"amount": draw.randrange(10_000) / 100, "currency": "EUR", "sku": f"s-{place}"},
                    }
                )
            made.append(events)
        return made

    def _raw_text(self, events: list[dict[str, Any]]) -> str:
        rows = []
        for event in events:
            customer = self._customer_id + int(event["customer"][1:]) - 1
            properties = '{{"amount": {amount}, "currency": "EUR", "sku": "{sku}"}}'.format(**event["properties"])
            rows.append(f"{customer}\t{self._types[event['name']]}\t{event['occurred_at']}\t{NOW}\t{properties}\n")
        return "".join(rows)


@bench(
    "ingest_calls",
    unit="event",
    n=50_000,
    customers=100_000,
    targets=(Target("rate", at_least=8_000), Target("p99_ms", at_most=100)),
)
class Calls(Ingest):
    """Calls of 100 events through the whole API in one process, all but the socket; the raw limit is the operation."""

    batch = 100

    def prepare(self) -> None:
        """The store, a key, and one call so that nothing is loaded for the first time."""
        super().prepare()
        self._application = get_wsgi_application()
        self._key = create_api_key(name="bench", scopes=["events:write"], now=datetime.now(UTC)).secret
        self._call(json.dumps({"events": []}).encode())

    def before_run(self) -> None:
        super().before_run()
        self._bodies = [json.dumps({"events": events}).encode() for events in self._batches]

    def run(self) -> Done:
        times = []
        for body in self._bodies:
            started = time.perf_counter()
            self._call(body)
            times.append((time.perf_counter() - started) * 1000)
        times.sort()
        extras = {"p50_ms": times[len(times) // 2], "p99_ms": times[int(len(times) * 0.99)]}
        return Done(self.size.n, extras={name: round(value, 1) for name, value in extras.items()})

    def before_raw(self) -> None:
        self._raw_batches = self._made("operation")

    def raw(self) -> int:
        """The same batches by the operation alone."""
        for events in self._raw_batches:
            operations.intake(events=events, now=NOW)
        return self.size.n

    def _call(self, body: bytes) -> None:
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/api/v1/events/batch",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "8000",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_AUTHORIZATION": f"Bearer {self._key}",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "wsgi.url_scheme": "http",
        }
        statuses: list[Any] = []

        def begin(status: str, headers: list[tuple[str, str]], error: Any = None, /) -> Callable[[bytes], object]:
            statuses.append(status)
            return statuses.append

        b"".join(self._application(environ, begin))
        if not statuses[0].startswith("202"):
            raise RuntimeError(f"the API answered {statuses[0]}")
