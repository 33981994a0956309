"""Workloads that `manage.py bench NAME` measures, each with the machine's raw limit beside it.

A package declares its workloads in `bench.py`, which only the command imports:

    @bench("render", unit="message", n=20_000, targets=(Target("rate", at_least=5_000),))
    class Render(Workload):
        "The 9 KB newsletter, all limits on; the raw limit is the same bytes joined by hand."

        def prepare(self) -> None:            # once, in a fresh migrated database; not measured
            self.version = save_template(...)

        def before_run(self) -> None:         # before each run (delete what the last one wrote); not measured
        def run(self) -> int:                 # MEASURED: the product's real code path; the units done
            return render_many(self.version, self.size.n)

        def before_raw(self) -> None:         # before each raw run; not measured
        def raw(self) -> int:                 # MEASURED: the least that does the same rows or bytes; the units done
            return join_many(self.size.n)

        def close(self) -> None:              # at the end, also after an error (stop a sink)

`self.size` says how much: `customers`, `n`, `workers`. Prepare with SQL or COPY, not row by row: 1M customers are
usual. `run` and `raw` may return `Done(units, extras={"p95_ms": 12.5})`; the median of each number over the runs goes
into the result, other values as they came last. `Done(seconds=...)` replaces the harness's clock where only part of the
run counts. Workers that a run starts as processes find the bench database in their environment and must have ended when
it returns, so that their CPU seconds are counted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from loyalty.kit.registry import Registry


@dataclass(frozen=True, slots=True)
class Size:
    """How much to do: `n` units asked for, `customers` in the database, `workers` processes where the workload has
    them."""

    n: int
    customers: int
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Done:
    """What one run did: `units` of the workload's unit; `seconds` when not the whole call counts; `extras` for the
    result."""

    units: int
    seconds: float | None = None
    extras: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """A bound for one figure of the result (`rate`, `ratio`, `wal_bytes_per_row` or an extra); bounds are inclusive."""

    figure: str
    at_least: float | None = None
    at_most: float | None = None

    def met(self, value: float | None) -> bool:
        """Whether the figure keeps the bound; an unmeasured figure does not."""
        if value is None:
            return False
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        bounds = [(">=", self.at_least), ("<=", self.at_most)]
        return " and ".join(f"{sign} {bound:,g}" for sign, bound in bounds if bound is not None)


class Workload:
    """One thing to measure; see the module for the calls. `vacuum` runs VACUUM ANALYZE after `prepare`."""

    vacuum = True

    def __init__(self, size: Size) -> None:
        self.size = size

    def prepare(self) -> None:
        """Fill the fresh database."""

    def before_run(self) -> None:
        """Put things back to where each run starts."""

    def run(self) -> int | Done:
        """The measured product code."""
        raise TypeError(f"{type(self).__name__} has no run()")

    def before_raw(self) -> None:
        """Put things back to where each raw run starts."""

    def raw(self) -> int | Done | None:
        """The measured raw limit; None when there is none to compare with."""
        return None

    def close(self) -> None:
        """Stop whatever `prepare` started."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A registered workload and its usual size."""

    name: str
    unit: str
    n: int
    customers: int
    targets: tuple[Target, ...]
    workload: type[Workload]
    workers: int = 1

    def size(self, *, n: int | None = None, customers: int | None = None, workers: int | None = None) -> Size:
        """The asked size; what is not given keeps its usual proportion to what is."""
        if n is None and customers is None:
            return Size(self.n, self.customers, workers or self.workers)
        if n is None:
            n = max(1, round(self.n * (customers or 0) / self.customers)) if self.customers else self.n
        if customers is None:
            customers = max(1, round(self.customers * n / self.n)) if self.customers else 0
        return Size(n, customers, workers or self.workers)


benches: Registry[Bench] = Registry("bench")


def bench(
    name: str,
    *,
    unit: str,
    n: int,
    customers: int | None = None,
    targets: Sequence[Target] = (),
    workers: int = 1,
) -> Callable[[type[Workload]], type[Workload]]:
    """Class decorator: register the workload under `name`; `n`, `customers` (as many as `n` if unset) and `workers`
    (what `up` starts for this work) are the usual size."""

    def decorate(workload: type[Workload]) -> type[Workload]:
        count = n if customers is None else customers
        benches.add(name, Bench(name, unit, n, count, tuple(targets), workload, workers))
        return workload

    return decorate
