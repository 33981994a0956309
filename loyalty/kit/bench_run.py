"""Runs one workload in a database of its own and sums up what it measured."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from statistics import median
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections

from loyalty.kit.benches import Bench, Done, Size, Workload
from loyalty.kit.measures import Cost, Meter, checkpoint

# What every result holds; an extra may not take one of these names.
FIGURES = (
    *("name", "n", "unit", "rate", "raw_rate", "ratio", "seconds", "runs", "wal_bytes_per_row"),
    *("cpu_python_s", "cpu_postgres_s", "peak_rss_mb", "customers", "workers", "targets"),
)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Measured:
    """One call of `run` or `raw`: what it did and what it cost."""

    done: Done
    cost: Cost

    @property
    def seconds(self) -> float:
        return self.cost.seconds if self.done.seconds is None else self.done.seconds

    @property
    def rate(self) -> float:
        return self.done.units / self.seconds if self.seconds else 0.0


@contextmanager
def own_database(name: str, *, keep: bool = False) -> Iterator[None]:
    """A fresh, migrated database `name` on the configured server as the default connection, also for child
    processes."""
    configured = str(settings.DATABASES["default"]["NAME"])
    url = os.environ.get("DATABASE_URL")
    quoted = connection.ops.quote_name(name)
    with connection._nodb_cursor() as cursor:  # type: ignore[attr-defined]  # Django's own way to the maintenance database
        cursor.execute(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {quoted}")
    _switch(name)
    server: str = settings.DATABASE_URL
    os.environ["DATABASE_URL"] = urlsplit(server)._replace(path="/" + quote(name)).geturl()
    try:
        call_command("migrate", verbosity=0, interactive=False)
        yield
    finally:
        _switch(configured)
        if url is None:
            del os.environ["DATABASE_URL"]
        else:
            os.environ["DATABASE_URL"] = url
        if not keep:
            with connection._nodb_cursor() as cursor:  # type: ignore[attr-defined]
                cursor.execute(f"DROP DATABASE IF EXISTS {quoted} WITH (FORCE)")


def measure(
    bench: Bench, size: Size, *, runs: int, say: Say, database: bool = True, keep: bool = False
) -> dict[str, Any]:
    """The result of `runs` runs, each followed by one of the raw limit, so that a drifting machine meets both alike.

    `database=False` stays in the current database (tests).
    """
    product: list[Measured] = []
    raw: list[Measured] = []
    place = own_database(f"bench_{bench.name}", keep=keep) if database else nullcontext()
    with place, closing(bench.workload(size)) as workload:
        say(f"preparing {size.customers:,} customers, {size.n:,} x {bench.unit}")
        workload.prepare()
        if workload.vacuum and database:
            with connection.cursor() as cursor:
                cursor.execute("VACUUM ANALYZE")
        for number in range(1, runs + 1):
            product.append(_measured(workload.before_run, workload.run))
            say(f"run {number} of {runs}: {product[-1].rate:,.0f} {bench.unit}s/s in {product[-1].seconds:.2f} s")
            if has_raw(workload):
                raw.append(_measured(workload.before_raw, workload.raw))
                say(f"raw limit: {raw[-1].rate:,.0f} {bench.unit}s/s in {raw[-1].seconds:.2f} s")
    return summary(bench, size, product, raw)


def has_raw(workload: Workload) -> bool:
    """Whether the workload says what its raw limit is."""
    return type(workload).raw is not Workload.raw


def summary(bench: Bench, size: Size, product: list[Measured], raw: list[Measured]) -> dict[str, Any]:
    """The figures by name: medians over the runs, the runs themselves, extras, and which targets were met."""
    rate = median(item.rate for item in product)
    raw_rate = median(item.rate for item in raw) if raw else None
    units = int(median(item.done.units for item in product))
    postgres = [item.cost.cpu_postgres_s for item in product if item.cost.cpu_postgres_s is not None]
    wal = [item.cost.wal_bytes / item.done.units for item in product if item.done.units]
    result: dict[str, Any] = {
        "name": bench.name,
        "n": units,
        "unit": bench.unit,
        "rate": round(rate, 1),
        "raw_rate": None if raw_rate is None else round(raw_rate, 1),
        "ratio": round(rate / raw_rate, 3) if raw_rate else None,
        "seconds": round(median(item.seconds for item in product), 4),
        "runs": [
            {
                "seconds": round(item.seconds, 4),
                "rate": round(item.rate, 1),
                "raw_rate": round(raw[index].rate, 1) if raw else None,
            }
            for index, item in enumerate(product)
        ],
        "wal_bytes_per_row": round(median(wal), 1) if wal else None,
        "cpu_python_s": round(median(item.cost.cpu_python_s for item in product), 3),
        "cpu_postgres_s": round(median(postgres), 3) if postgres else None,
        "peak_rss_mb": round(max(item.cost.peak_rss_mb for item in product), 1),
        "customers": size.customers,
        "workers": size.workers,
    }
    result.update(_extras([item.done.extras for item in product]))
    result["targets"] = [
        {"figure": target.figure, "bound": str(target), "met": target.met(result.get(target.figure))}
        for target in bench.targets
    ]
    return result


def _measured(before: Callable[[], None], work: Callable[[], int | Done | None]) -> Measured:
    before()
    checkpoint()
    with Meter() as meter:
        done = work()
    if not isinstance(done, Done):
        done = Done(units=done or 0)
    return Measured(done, meter.cost)


def _extras(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Numbers as their median over the runs, everything else as it came last."""
    names = list(dict.fromkeys(name for extras in found for name in extras))
    if taken := [name for name in names if name in FIGURES]:
        raise ValueError(f"a workload's extras may not be called {', '.join(taken)}")
    combined: dict[str, Any] = {}
    for name in names:
        values = [extras[name] for extras in found if name in extras]
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        combined[name] = median(values) if numbers else values[-1]
    return combined


def _switch(database: str) -> None:
    connections.close_all()
    settings.DATABASES["default"]["NAME"] = database
    connection.settings_dict["NAME"] = database
