"""What `manage.py doctor` looks at for the whole project: settings, database, migrations, broker, disk."""

import os
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from loyalty.kit.diagnoses import Finding, broken, diagnosis, ok, warning

POSTGRES_MIN = 17
SKEW_MAX_SECONDS = 2.0
ROUND_TRIP_MAX_MS = 20.0
TRANSACTION_MAX_MINUTES = 30
DISK_MIN_BYTES = 5 * 1024**3
CONNECTIONS_SHARE_MAX = 0.8


@diagnosis("settings", order=10)
def look_at_settings() -> Iterable[Finding]:
    """What the environment should say in production."""
    public = urlsplit(settings.PUBLIC_URL)
    local = public.hostname in ("127.0.0.1", "localhost", "::1")
    if public.scheme not in ("http", "https") or not public.hostname:
        yield broken(f"PUBLIC_URL={settings.PUBLIC_URL} is no address", "set it to https://your.host")
    elif local:
        yield warning(
            f"PUBLIC_URL={settings.PUBLIC_URL}: links in mails lead to this machine only",
            "set it to the public address",
        )
    elif public.scheme != "https":
        yield warning(f"PUBLIC_URL={settings.PUBLIC_URL} is not encrypted", "serve it by https and say so here")
    else:
        yield ok(f"links lead to {settings.PUBLIC_URL}")
    if settings.DEBUG and not local:
        yield broken("DEBUG is on for a public address: errors show the code and its values", "unset DEBUG")
    if not os.environ.get("SECRET_KEY") and local:
        yield ok("SECRET_KEY is this machine's own")
    elif not os.environ.get("SECRET_KEY"):
        remedy = "set SECRET_KEY to a long random text and keep it: links in sent mails depend on it"
        yield broken("SECRET_KEY is not set, every machine makes its own", remedy)
    elif len(settings.SECRET_KEY) < 32:
        yield warning(
            "SECRET_KEY is shorter than 32 characters", "take a longer one, keep the old in SECRET_KEY_FALLBACKS"
        )
    if not local and settings.ADDRESS_KEY == settings.SECRET_KEY:
        yield warning(
            "ADDRESS_KEY is SECRET_KEY: changing the one forgets every suppressed address",
            "set ADDRESS_KEY to what SECRET_KEY is now, before you ever change that",
        )


@diagnosis("database", order=20, vital=True)
def look_at_database() -> Iterable[Finding]:
    """Version, clock, encoding, connections and what holds others up."""
    before = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        begin = datetime.now(UTC)
        cursor.execute(
            "SELECT current_setting('server_version_num')::int, clock_timestamp(), current_setting('server_encoding'),"
            " current_setting('max_connections')::int, (SELECT count(*) FROM pg_stat_activity WHERE backend_type ="
            " 'client backend'), pg_database_size(current_database()), current_setting('synchronous_commit'),"
            " (SELECT max(extract(epoch FROM clock_timestamp() - xact_start))::float8 FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid())"
        )
        version, clock, encoding, allowed, used, size, durable, oldest = cursor.fetchone()
    end = datetime.now(UTC)
    round_trip = (end - begin).total_seconds() * 1000
    middle = begin + (end - begin) / 2
    skew = abs((clock - middle).total_seconds())
    name = f"PostgreSQL {version // 10000}.{version % 10000}"
    if version // 10000 < POSTGRES_MIN:
        yield broken(f"{name} is too old", f"upgrade to {POSTGRES_MIN} or newer")
    else:
        yield ok(f"{name}, {size / 1024**2:,.0f} MB, connected in {(begin - before).total_seconds() * 1000:.0f} ms")
    if encoding != "UTF8":
        yield broken(f"the database's encoding is {encoding}", "create it with ENCODING 'UTF8'")
    if skew > SKEW_MAX_SECONDS:
        yield broken(f"the clocks of host and database differ by {skew:.1f} s", "run a time service (chrony) on both")
    else:
        yield ok(f"clocks of host and database agree within {skew * 1000:.0f} ms")
    if round_trip > ROUND_TRIP_MAX_MS:
        yield warning(f"a query takes {round_trip:.0f} ms", "move the database nearer to the workers")
    if used > CONNECTIONS_SHARE_MAX * allowed:
        yield warning(f"{used} of {allowed} connections are taken", "raise max_connections or run fewer workers")
    if durable == "off":
        yield broken("synchronous_commit is off: what was answered may be lost", "set synchronous_commit = on")
    if oldest and oldest > TRANSACTION_MAX_MINUTES * 60:
        yield warning(
            f"a transaction is open for {oldest / 60:,.0f} minutes and keeps old rows alive",
            "find it: SELECT pid, query, xact_start FROM pg_stat_activity ORDER BY xact_start",
        )


@diagnosis("migrations", order=30, vital=True)
def look_at_migrations() -> Iterable[Finding]:
    """The tables are those that the code expects."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in plan[:5])
        more = f" and {len(plan) - 5} more" if len(plan) > 5 else ""
        yield broken(f"{len(plan)} migrations are not applied: {names}{more}", "run: python manage.py migrate")
    else:
        yield ok("all migrations are applied")


@diagnosis("broker", order=40)
def look_at_broker() -> Iterable[Finding]:
    """Hints travel through it; without it the ticker finds the work, only later."""
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=3, socket_connect_timeout=3)
    try:
        facts = client.info()
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy")
    except redis.RedisError as error:
        yield broken(f"does not answer: {error}", "start it, or correct REDIS_URL")
        return
    finally:
        client.close()
    name = f"Valkey {facts['valkey_version']}" if "valkey_version" in facts else f"Redis {facts['redis_version']}"
    yield ok(f"{name}, {facts['used_memory_human']}")
    if policy not in ("noeviction", None):
        yield warning(f"maxmemory-policy is {policy}: queues may be evicted", "set it to noeviction")


@diagnosis("disk", order=60)
def look_at_disk() -> Iterable[Finding]:
    """Room where this program keeps its files."""
    usage = shutil.disk_usage(settings.BASE_DIR)
    free = f"{usage.free / 1024**3:.1f} GB of {usage.total / 1024**3:.0f} GB are free"
    if usage.free < DISK_MIN_BYTES:
        yield warning(free, "make room before the database stops")
    else:
        yield ok(free)
