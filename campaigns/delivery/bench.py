"""`bench send` (W2): N planned marketing messages through guards, claim, render, SMTP and settle to a local sink."""

import asyncio
import os
import secrets
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.db import connections, transaction

from campaigns.channels.mime import Skeleton, on_the_wire
from campaigns.channels.models import Sender
from campaigns.channels.outcome import Outcome
from campaigns.channels.smtp import Connection, Endpoint
from campaigns.channels.smtp_transfer import Parcel, transfer
from campaigns.content.definition import TemplateDocument
from campaigns.content.operations import save_template
from campaigns.delivery import engine, load
from campaigns.delivery.claim import Claimed
from campaigns.delivery.compose import compose
from campaigns.delivery.ids import pack
from campaigns.delivery.models import Dispatch
from campaigns.delivery.operations import register_dispatch
from campaigns.delivery.plan import plan_ctes
from loyalty.events import partitions
from loyalty.events.types import learn_facts
from loyalty.kit.benches import Done, Target, Workload, bench
from loyalty.kit.sql import execute, fetch, sql

TEMPLATE = Path(__file__).resolve().parent.parent / "gallery" / "data" / "bench_template.mjml"
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
CONNECTIONS = 10
PREBUILT = 200
# The template speaks of points and offers; here they are the customers' own attributes, read with everything else.
ATTRIBUTES = (
    *("tier", "last_purchase_on", "points_balance", "points_value", "points_expire_on", "offer_code", "offer_percent"),
)
CUSTOMERS = """
INSERT INTO customer (id, external_id, email, email_digest, first_name, last_name, city, locale, attributes, created_at,
                      updated_at)
SELECT i, 'c' || i, 'a' || i || '@example.com', substr(sha256(i::text::bytea), 1, 16), 'Änne ' || i, 'Müller', 'Köln',
    'en',
    jsonb_build_object('tier', CASE WHEN i % 2 = 0 THEN 'gold' ELSE 'silver' END, 'last_purchase_on', '2026-02-14',
        'points_balance', i * 7, 'points_value', i || '.5', 'points_expire_on', '2026-12-31', 'offer_code', 'A' || i,
        'offer_percent', 0.2), {at}, {at}
FROM generate_series(1, {n}) AS i"""
ITEMS = """
INSERT INTO message_context (origin_id, event)
SELECT i, jsonb_build_object('name', 'purchase', 'properties', jsonb_build_object('currency', 'EUR', 'store', 'Köln',
    'total', i || '.99', 'items', (SELECT jsonb_agg(jsonb_build_object('name', 'Thing & ' || p, 'price', p || '.9',
        'quantity', p, 'url', 'https://shop.example.com/p/' || p)) FROM generate_series(1, 5) AS p)))
FROM generate_series(1, {n}) AS i"""


@bench(
    "send",
    unit="message",
    n=20_000,
    workers=2,  # the pool of one sender as `up` starts it
    targets=(Target("rate", at_least=3_000), Target("ratio", at_least=0.5)),
)
class SendBench(Workload):
    """The newsletter with tracked links, to a sink in its own process; the raw limit is that sink fed with prebuilt
    messages by the same SMTP client, without a database. `--workers` sends in that many processes."""

    def prepare(self) -> None:
        partitions.ensure(START, START + timedelta(days=40))
        learn_facts(now=START)
        self.sink = subprocess.Popen(
            [sys.executable, "-m", "campaigns.delivery.bench_sink"], stdout=subprocess.PIPE, text=True
        )
        self.port = int(self.sink.stdout.readline()) if self.sink.stdout else 0
        execute(sql(CUSTOMERS, at=START, n=self.size.n))
        for purpose in ("marketing", "tracking"):
            execute(
                sql(
                    "INSERT INTO consent_state (customer_id, channel, purpose, status, since)"
                    " SELECT id, 'email', {purpose}, 'granted', {at} FROM customer ORDER BY id",
                    purpose=purpose,
                    at=START,
                )
            )
        execute(sql(ITEMS, n=self.size.n))
        self.dispatch = self._dispatch()
        self.prebuilt = self._prebuilt()

    def _dispatch(self) -> Dispatch:
        settings = {
            "host": "127.0.0.1", "port": self.port, "security": "none", "from_email": "shop@example.com",
            "from_name": "Shop", "connections": CONNECTIONS, "imprint": "Shop Ltd\n1 High Street\n12345 City",
        }  # fmt: skip
        sender = Sender.objects.create(key="bench", channel="email", provider="email_smtp", settings=settings)
        body = TEMPLATE.read_text()
        for root in ("points", "offer"):
            body = body.replace(f"{root}.", f"customer.{root}_")
        document = TemplateDocument.model_validate(
            {
                "key": "bench", "channel": "email",
                "locales": {"en": {"subject": "{{ customer.first_name }}, your points are waiting", "body": body}},
            }
        )  # fmt: skip
        version = save_template(document, now=START, declared_attributes=ATTRIBUTES).version_id
        return register_dispatch(
            step="hello", step_no=1, channel="email", purpose="marketing", template_version_id=version,
            sender_id=sender.pk, flow_id=1, flow_key="bench", flow_version=1, campaign_key="bench", now=START,
        )  # fmt: skip

    def _prebuilt(self) -> list[bytes]:
        """The same messages as octets, made once."""
        count = min(PREBUILT, self.size.n)
        some = [Claimed(pack(i, 1, 1, 1), i, self.dispatch.pk, 0) for i in range(1, count + 1)]
        dispatches = load.dispatches(some)
        composed = compose(
            some,
            dispatches=dispatches,
            renderers=load.renderers(dispatches.values()),
            recipients=load.recipients(some, "email"),
            contexts=load.contexts(some, dispatches, START),
            at=START,
        )
        if composed.broken:
            raise RuntimeError(f"the bench template cannot be rendered: {next(iter(composed.broken.values()))}")
        skeleton = Skeleton(from_email="shop@example.com", from_name="Shop", boundary=secrets.token_hex(16))
        return [on_the_wire(skeleton.fill(email, eight_bit=True)) for email in composed.emails.values()]

    def before_run(self) -> None:
        """Plan the N messages as the flow engine does."""
        execute("TRUNCATE message, message_attempt, message_verdict, event")
        rows = sql("SELECT id, id, 1, {at}::timestamptz, false FROM customer ORDER BY id", at=START)
        with transaction.atomic():
            fetch(
                sql("WITH {ctes} SELECT count(*) FROM planned", ctes=plan_ctes("planned", self.dispatch, rows, START))
            )
        execute("ANALYZE message")

    def run(self) -> Done:
        before = self._taken()
        _in_processes(self.size.workers, lambda _number: _send_all())
        taken = self._taken() - before
        sent = int(fetch("SELECT count(*) FROM message WHERE state = 3")[0][0])
        if not taken == sent == self.size.n:
            raise RuntimeError(f"planned {self.size.n}, sent {sent}, taken by the sink {taken}")
        return Done(sent, extras={"octets": sum(map(len, self.prebuilt)) // len(self.prebuilt)})

    def raw(self) -> int:
        share = self.size.n // self.size.workers
        _in_processes(self.size.workers, lambda _number: asyncio.run(self._feed(share)))
        return share * self.size.workers

    async def _feed(self, count: int) -> None:
        queue = deque(
            Parcel(i, "shop@example.com", f"a{i}@example.com", _always(self.prebuilt[i % len(self.prebuilt)]))
            for i in range(count)
        )
        results: list[Outcome | None] = [None] * count
        endpoint = self._endpoint()

        async def line() -> None:
            connection = await Connection.open(endpoint)
            await transfer(connection, queue, results, total_seconds=10)
            connection.close()

        await asyncio.gather(*(line() for _ in range(CONNECTIONS)))
        if any(result is None or result.verdict != "sent" for result in results):
            raise RuntimeError("the sink refused a prebuilt message")

    def _endpoint(self) -> Endpoint:
        return Endpoint("127.0.0.1", self.port, hello="bench")

    def _taken(self) -> int:
        async def ask() -> int:
            connection = await Connection.open(self._endpoint())
            answer = await connection.command("NOOP")
            connection.close()
            return int(answer.text)

        return asyncio.run(ask())

    def close(self) -> None:
        if hasattr(self, "sink"):
            self.sink.terminate()
            self.sink.wait()


def _always(body: bytes) -> Callable[[bool], bytes]:
    return lambda _eight_bit: body


def _send_all() -> None:
    """What the chore does until nothing is due."""
    while engine.run(channel="email", now=lambda: START):
        pass


def _in_processes(count: int, work: Callable[[int], object]) -> None:
    """Do the work here, or in that many forked processes."""
    if count == 1:
        work(0)
        return
    connections.close_all()
    children = []
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                work(number)
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    if any(os.waitpid(pid, 0)[1] for pid in children):
        raise RuntimeError("a worker of the bench failed")
