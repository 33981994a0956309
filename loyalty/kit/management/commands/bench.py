"""`manage.py bench NAME`: a workload of the product, with the machine's raw limit measured beside it in the same
run."""

import json
from argparse import ArgumentParser
from statistics import median
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import autodiscover_modules

from loyalty.kit.bench_run import FIGURES, measure
from loyalty.kit.benches import benches
from loyalty.kit.registry import UnknownPart


class Command(BaseCommand):
    help = "Measure a workload in a database of its own (bench_NAME), the raw limit beside it; no NAME lists them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?")
        parser.add_argument(
            "--customers", type=int, help="customers in the database; the amount of work keeps its proportion"
        )
        parser.add_argument("--n", type=int, help="units of work")
        parser.add_argument("--runs", type=int, default=3)
        parser.add_argument("--workers", type=int, help="worker processes, where the workload has them")
        parser.add_argument("--keep", action="store_true", help="leave the database bench_NAME behind")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        autodiscover_modules("bench")
        if not options["name"]:
            for name, item in benches.items():
                purpose = (item.workload.__doc__ or "").strip().partition("\n")[0]
                self.stdout.write(f"{name:14} {item.n:>12,} x {item.unit:18} {purpose}")
            return
        for name in ("customers", "n", "runs", "workers"):
            if options[name] is not None and options[name] < 1:
                raise CommandError(f"--{name} must be at least 1")
        try:
            item = benches.get(options["name"])
        except UnknownPart as unknown:
            raise CommandError(str(unknown)) from None
        size = item.size(n=options["n"], customers=options["customers"], workers=options["workers"])
        result = measure(item, size, runs=options["runs"], say=self.stderr.write, keep=options["keep"])
        if options["json"]:
            self.stdout.write(json.dumps(result))
        else:
            self.stdout.write("\n".join(table(result)))


def _figure(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def table(result: dict[str, Any]) -> list[str]:
    """The result as lines for people."""
    rates = [run["rate"] for run in result["runs"]]
    middle = median(rates) or 1
    spread = (max(rates) - min(rates)) / middle
    unit = result["unit"]
    rows = [
        ("done", f"{result['n']:,} {unit}s with {result['customers']:,} customers, {result['workers']} worker(s)"),
        ("rate", f"{result['rate']:,.0f} {unit}s/s (median of {len(rates)} runs, spread {spread:.0%})"),
        ("raw limit", "none" if result["raw_rate"] is None else f"{result['raw_rate']:,.0f} {unit}s/s"),
        ("ratio", "-" if result["ratio"] is None else f"{result['ratio']:.2f} of raw"),
        ("seconds", f"{result['seconds']:.2f} ({', '.join(format(run['seconds'], '.2f') for run in result['runs'])})"),
        ("WAL", "-" if result["wal_bytes_per_row"] is None else f"{result['wal_bytes_per_row']:,.0f} bytes per {unit}"),
        ("CPU Python", f"{result['cpu_python_s']:.2f} s"),
        (
            "CPU PostgreSQL",
            "not on this machine" if result["cpu_postgres_s"] is None else f"{result['cpu_postgres_s']:.2f} s",
        ),
        ("peak memory", f"{result['peak_rss_mb']:,.0f} MB"),
    ]
    rows += [(name, _figure(value)) for name, value in result.items() if name not in FIGURES]
    rows += [
        (f"target {target['figure']}", f"{target['bound']}  {'met' if target['met'] else 'MISSED'}")
        for target in result["targets"]
    ]
    width = max(len(name) for name, _ in rows)
    return [result["name"], *(f"  {name:{width}}  {value}" for name, value in rows)]
