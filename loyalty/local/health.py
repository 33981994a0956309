"""`/healthz` (the process lives), `/readyz` (database, broker, migrations), `/metrics` (Prometheus text)."""

import hmac
import os
from collections.abc import Iterable
from functools import cache

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from loyalty.kit.chores import QUEUES, all_chores
from loyalty.kit.sql import fetch

BROKER_TIMEOUT = 1.0
COUNTED = 100_000  # counts stop here: a scrape must stay cheap when a queue has grown to millions

# (metric, help, labels, table that must exist, SQL); the value is the last column.
_COUNTS: tuple[tuple[str, str, list[str], str, str], ...] = (
    (
        "loyalty_event_queue",
        f"Events waiting for a consumer (counted up to {COUNTED})",
        ["consumer"],
        "event_queue",
        f"SELECT consumer, count(*) FROM (SELECT consumer FROM event_queue LIMIT {COUNTED}) AS q GROUP BY consumer",
    ),
    (
        "loyalty_event_queue_oldest_seconds",
        "How long the oldest event has waited for a consumer",
        ["consumer"],
        "event_queue",
        "SELECT line.consumer, extract(epoch FROM clock_timestamp() - e.received_at)::float8 FROM ("
        "SELECT consumer, min(seq) AS seq FROM event_queue GROUP BY consumer) AS line "
        "JOIN event_queue q USING (consumer, seq) JOIN event e ON e.customer_id = q.customer_id "
        "AND e.type_id = q.type_id AND e.occurred_at = q.occurred_at AND e.id = q.event_id",
    ),
    (
        "loyalty_messages_due",
        f"Planned messages whose time has come, by channel number (counted up to {COUNTED})",
        ["channel"],
        "message",
        "SELECT channel, count(*) FROM (SELECT channel FROM message WHERE state = 0 AND due_at <= clock_timestamp() "
        f"LIMIT {COUNTED}) AS m GROUP BY channel",
    ),
    (
        "loyalty_message_oldest_due_seconds",
        "How long the oldest due message has waited, by channel number",
        ["channel"],
        "message",
        "SELECT channel, extract(epoch FROM greatest(clock_timestamp() - min(due_at), interval '0'))::float8 "
        "FROM message WHERE state = 0 GROUP BY channel",
    ),
)

_CHORES = """
SELECT key, extract(epoch FROM clock_timestamp() - last_finished_at)::float8, runs, failures FROM chore_state
"""


@cache
def _broker(_pid: int) -> "redis.Redis":
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=BROKER_TIMEOUT, socket_connect_timeout=BROKER_TIMEOUT
    )


def healthz(request: HttpRequest) -> HttpResponse:
    """200 while this process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    """200 when database, broker and migrations are fine, else 503; each with its state."""
    checks = {"database": _database_state(), "broker": _broker_state()}
    checks["migrations"] = _migrations_state() if checks["database"] == "ok" else "unknown"
    ready = all(state == "ok" for state in checks.values())
    return JsonResponse({"ready": ready, **checks}, status=200 if ready else 503)


def _database_state() -> str:
    try:
        fetch("SELECT 1")
    except (DatabaseError, InterfaceError) as error:
        connection.close()
        return f"down ({type(error).__name__})"
    return "ok"


def _broker_state() -> str:
    try:
        _broker(os.getpid()).ping()
    except redis.RedisError as error:
        return f"down ({type(error).__name__})"
    return "ok"


_migrated = False


def _migrations_state() -> str:
    """Asked until the answer is yes: a process never becomes unmigrated under its own code."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if missing:
            return f"{len(missing)} missing (run manage.py migrate)"
        _migrated = True
    return "ok"


class HouseCollector(Collector):
    """What the database and the broker know, read at each scrape."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        up = GaugeMetricFamily("loyalty_up", "1 when the service answers", labels=["service"])
        try:
            found = list(self._database())
            up.add_metric(["database"], 1)
            yield from found
        except (DatabaseError, InterfaceError):
            connection.close()
            up.add_metric(["database"], 0)
        try:
            found = list(self._broker())
            up.add_metric(["broker"], 1)
            yield from found
        except redis.RedisError:
            up.add_metric(["broker"], 0)
        yield up

    def _database(self) -> Iterable[GaugeMetricFamily]:
        ages = GaugeMetricFamily("loyalty_chore_age_seconds", "Time since the chore last ended", labels=["chore"])
        runs = GaugeMetricFamily("loyalty_chore_runs", "Runs of the chore so far", labels=["chore"])
        failures = GaugeMetricFamily("loyalty_chore_failures", "Failed runs of the chore so far", labels=["chore"])
        known = {item.key for item in all_chores()}
        for key, age, ran, failed in fetch(_CHORES):
            if key in known:
                if age is not None:
                    ages.add_metric([key], age)
                runs.add_metric([key], ran)
                failures.add_metric([key], failed)
        yield from (ages, runs, failures)
        for name, text, labels, table, counted in _COUNTS:
            if fetch("SELECT to_regclass(%(table)s) IS NOT NULL", {"table": table})[0][0]:
                gauge = GaugeMetricFamily(name, text, labels=labels)
                for *values, amount in fetch(counted):
                    gauge.add_metric([str(value) for value in values], float(amount))
                yield gauge

    def _broker(self) -> Iterable[GaugeMetricFamily]:
        depth = GaugeMetricFamily("loyalty_queue_depth", "Ticks and hints waiting in the broker", labels=["queue"])
        pipeline = _broker(os.getpid()).pipeline(transaction=False)
        for name in QUEUES:
            pipeline.llen(name)
        for name, waiting in zip(QUEUES, pipeline.execute(), strict=True):
            depth.add_metric([name], float(waiting))
        yield depth


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text; with METRICS_TOKEN set only for its bearer. Holds counts and ages, nothing about people."""
    token = os.environ.get("METRICS_TOKEN", "")
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token and not hmac.compare_digest(given.encode(), token.encode()):
        return HttpResponse("a bearer token is needed\n", status=401, content_type="text/plain")
    registry = CollectorRegistry()
    registry.register(HouseCollector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
