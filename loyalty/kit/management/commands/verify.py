"""`manage.py verify`: every promise about the data, checked by SQL; with `--sink LOG` also against what was
received."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from loyalty.kit.checks import Verdict, invariants, reconciliations, verdict


class Command(BaseCommand):
    help = "Check every invariant; exit status 1 and sample rows when one is violated."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--sink", type=Path, metavar="LOG", help="also compare with the log of the mail sink")

    def handle(self, *args: Any, **options: Any) -> None:
        log = options["sink"]
        if log and not log.exists():
            raise CommandError(f"there is no sink log {log}")
        verdicts = [verdict(check) for check in invariants()]
        if log:
            verdicts += [verdict(check, log) for check in reconciliations()]
        violations = sum(item.violations for item in verdicts)
        broken = [item for item in verdicts if not item.holds]
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(verdicts), default=str))
        else:
            self.stdout.write("\n".join(table(verdicts)))
        if broken:
            raise CommandError(f"{violations} violations in {len(broken)} of {len(verdicts)} checks")


def table(verdicts: list[Verdict]) -> list[str]:
    """One line per check, sample rows below those that fail, a sum at the end."""
    width = max((len(item.key) for item in verdicts), default=0)
    lines = []
    for item in verdicts:
        word = (
            "cannot be checked" if item.failure else f"{item.violations:,} violations" if item.violations else "holds"
        )
        lines.append(f"{item.guarantee:>3}  {item.key:{width}}  {word:18} {item.promise}")
        if item.failure:
            lines.append(f"       {item.failure}")
        lines += ["       " + ", ".join(f"{name}={value}" for name, value in sample.items()) for sample in item.samples]
        if item.violations > len(item.samples):
            lines.append(f"       and {item.violations - len(item.samples):,} more")
    violations = sum(item.violations for item in verdicts)
    return [*lines, f"{len(verdicts)} checks, {violations:,} violations"]


def _as_json(verdicts: list[Verdict]) -> dict[str, Any]:
    return {
        "violations": sum(item.violations for item in verdicts),
        "ok": all(item.holds for item in verdicts),
        "checks": [
            {
                "key": item.key,
                "guarantee": item.guarantee,
                "promise": item.promise,
                "violations": item.violations,
                "samples": item.samples,
                "failure": item.failure or None,
            }
            for item in verdicts
        ],
    }
