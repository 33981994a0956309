"""`bench flow` (W1): N people through entry, split, wait, send, wait for an event (30 % happen) and second send" " or
exit.
"""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import connections

from campaigns.flows import engine, operations, runs, waking
from campaigns.flows.models import Flow
from loyalty.events import partitions
from loyalty.events.types import type_id
from loyalty.kit.applying import apply_documents
from loyalty.kit.benches import Done, Target, Workload, bench
from loyalty.kit.sql import execute, fetch

STEPS_PER_PERSON = 6
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
BATCH = 20_480

SENDER = {
    "host": "127.0.0.1",
    "from_email": "shop@example.com",
    "from_name": "Shop",
    "imprint": "Shop Ltd, 1 High Street",
}
BODY = '<p>Hello</p><a href="{{ unsubscribe_url }}">Unsubscribe</a>'
GERMAN = {"when": {"all": [{"attribute": "country", "in": ["DE", "AT"]}]}, "to": "soon"}
STEPS = [
    {"id": "value", "type": "split", "branches": [GERMAN], "otherwise": "later"},
    {"id": "soon", "type": "wait", "for": "1d", "next": "hello"},
    {"id": "later", "type": "wait", "for": "2d"},
    {"id": "hello", "type": "send", "template": "bench"},
    {
        "id": "bought",
        "type": "wait_for_event",
        "event": "purchase",
        "timeout": "3d",
        "exits": {"happened": "done", "timeout": "again"},
    },
    {"id": "again", "type": "send", "template": "bench", "next": "end"},
    {"id": "done", "type": "exit"},
]
DOCUMENTS = [
    {"kind": "sender", "key": "bench", "channel": "email", "provider": "email_smtp", "settings": SENDER},
    {
        "kind": "template",
        "key": "bench",
        "channel": "email",
        "purpose": "marketing",
        "locales": {"en": {"subject": "Hello", "body": BODY}},
    },
    {"kind": "segment", "key": "all", "rule": {"all": [{"attribute": "email", "is_set": True}]}},
    {
        "kind": "flow",
        "key": "bench",
        "entry": [{"segment_entered": "all"}],
        "exit_on": [{"event": "order_canceled"}],
        "steps": STEPS,
    },
]


@bench(
    "flow",
    unit="enrollment-step",
    n=100_000,
    targets=(Target("rate", at_least=80_000), Target("ratio", at_least=0.4), Target("wal_bytes_per_row", at_most=600)),
)
class FlowBench(Workload):
    """The engine with guards, step log, messages and facts; the raw limit writes the same rows by the least SQL.

    `--n` is the number of enrollments; `--workers` moves people in that many processes.
    """

    def prepare(self) -> None:
        """N customers with consent, half of them in the first branch, and the published flow."""
        partitions.ensure(START, START + timedelta(days=40))
        execute(
            "INSERT INTO customer (external_id, email, email_digest, country, timezone, locale, attributes,"
            " created_at, updated_at)"
            " SELECT 'c' || i, 'c' || i || '@example.com', substr(sha256(i::text::bytea), 1, 16),"
            " (ARRAY['DE','AT','US','FR'])[1 + i %% 4],"
            " 'Europe/Berlin', 'en', '{}', %(at)s, %(at)s FROM generate_series(1, %(n)s) AS i",
            {"n": self.size.n, "at": START},
        )
        execute(
            "INSERT INTO consent_state (customer_id, channel, purpose, status, since) SELECT id, 'email',"
            " 'marketing', 'granted', %(at)s FROM customer",
            {"at": START},
        )
        type_id("purchase")
        apply_documents(DOCUMENTS, now=START)
        execute(
            "INSERT INTO segment_member (segment_id, customer_id, since) SELECT s.id, c.id, %(at)s FROM segment"
            " s, customer c"
            " WHERE s.key = 'all' ON CONFLICT DO NOTHING",
            {"at": START},
        )
        operations.publish(key="bench", now=START)

    def before_run(self) -> None:
        execute(
            "TRUNCATE enrollment, flow_block, step_log, message, message_verdict, message_context, flow_count,"
            " event_queue, event, flow_run"
        )
        flow = Flow.objects.get(key="bench")
        runs.open_publish_runs(flow, now=START)

    def run(self) -> Done:
        seconds = 0.0
        stages = {}
        for name, work, at in (
            ("enter", runs.advance_runs, START),
            ("send", engine.advance, START + timedelta(days=2)),
            ("purchases", self._purchases, START + timedelta(days=3)),
            ("wake", waking.pull, START + timedelta(days=3, hours=1)),
            ("timeout", engine.advance, START + timedelta(days=6)),
        ):
            began = time.perf_counter()
            if name == "purchases":
                self._purchases(now=at)
                continue
            # The entry of one flow is serial by its lock; the rest splits by block and by queue rows.
            self._drain(work, at, 1 if name == "enter" else self.size.workers)
            stages[f"{name}_s"] = round(time.perf_counter() - began, 2)
            seconds += time.perf_counter() - began
        self._assert_result()
        return Done(self.size.n * STEPS_PER_PERSON, seconds=seconds, extras=stages)

    def _drain(self, work: Callable[..., object], at: datetime, workers: int) -> None:
        if workers == 1:
            while work(now=at):
                pass
            return
        connections.close_all()
        children = []
        for _ in range(workers):
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    while work(now=at):
                        pass
                    connections.close_all()
                    code = 0
                finally:
                    os._exit(code)
            children.append(child)
        for child in children:
            _, status = os.waitpid(child, 0)
            if status:
                raise RuntimeError("a worker of the bench failed")

    def _purchases(self, *, now: datetime) -> None:
        """30 % buy; not measured: intake is workload W4."""
        execute(
            "WITH bought AS (INSERT INTO event (customer_id, type_id, occurred_at, received_at, properties)"
            " SELECT customer_id, %(type)s, %(at)s, %(at)s, '{\"amount\": 20}' FROM enrollment WHERE id %% 10 < 3"
            " RETURNING id, customer_id, type_id, occurred_at, properties)"
            " INSERT INTO event_queue (consumer, event_id, customer_id, type_id, occurred_at, properties)"
            " SELECT 'flows', id, customer_id, type_id, occurred_at, properties FROM bought",
            {"type": type_id("purchase"), "at": now},
        )

    def _assert_result(self) -> None:
        n = self.size.n
        finished, exited, messages = fetch(
            "SELECT (SELECT count(*) FROM enrollment WHERE status = 2), (SELECT count(*) FROM enrollment WHERE"
            " status = 3),"
            " (SELECT count(*) FROM message WHERE state = 0)"
        )[0]
        if finished + exited != n or messages != n + finished or abs(exited - 0.3 * n) > 0.01 * n:
            raise RuntimeError(f"the flow did not do its work: {finished=} {exited=} {messages=} of {n}")

    def before_raw(self) -> None:
        execute("TRUNCATE enrollment, flow_block, step_log, message, event")

    def raw(self) -> int:
        """Enrollments, three waves of HOT updates by id range, 3 log rows, 1.7 messages, 2 facts a person:" " plain
        SQL.
        """
        fact, at = type_id("flow.entered"), START
        for low in range(0, self.size.n, BATCH):
            p = {"low": low, "high": min(low + BATCH, self.size.n), "at": at, "fact": fact}
            execute(
                "INSERT INTO enrollment (id, flow_id, version_id, customer_id, entry_key, entry_no, node,"
                " status, visit, holdout,"
                " entered_at, since, due_at) SELECT i, 1, 1, i, 0, 1, 2, 1, 1, false, %(at)s, %(at)s, %(at)s"
                " FROM generate_series(%(low)s, %(high)s - 1) AS i",
                p,
            )
            for wave in (1, 2):
                execute(
                    "UPDATE enrollment SET node = node + 1, visit = visit + 1, due_at = %(at)s, since = %(at)s"
                    " WHERE id >= %(low)s AND id < %(high)s",
                    p,
                )
                execute(
                    "INSERT INTO message (id, customer_id, dispatch_id, channel, state, reason, attempt,"
                    " planned_at, due_at, entered_at)"
                    f" SELECT i::bigint << 25 | {wave << 13 | 1}, i, 1, 1, 0, 0, 0, %(at)s, %(at)s, %(at)s FROM"
                    f" generate_series(%(low)s, %(high)s - 1) AS i"
                    f" WHERE {wave} = 1 OR i %% 10 >= 3",
                    p,
                )
            execute(
                "INSERT INTO step_log (enrollment_id, visit, at, version_id, from_node, exit, path)"
                " SELECT i, v, %(at)s, 1, 1, 0, '{1}' FROM generate_series(%(low)s, %(high)s - 1) AS i,"
                " generate_series(1, 3) AS v",
                p,
            )
            execute(
                "INSERT INTO event (customer_id, type_id, occurred_at, received_at, ref) SELECT i, %(fact)s,"
                " %(at)s, %(at)s, i"
                " FROM generate_series(%(low)s, %(high)s - 1) AS i, generate_series(1, 2)",
                p,
            )
        return self.size.n * STEPS_PER_PERSON
