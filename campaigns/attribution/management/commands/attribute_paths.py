"""`manage.py attribute_paths FILE.csv --model NAME`: scores a file of journeys with the methods of the reports."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from campaigns.attribution import paths
from campaigns.attribution.method import methods
from loyalty.kit.problems import Problems
from loyalty.kit.registry import UnknownPart


class Command(BaseCommand):
    help = "Score journeys: columns path (A > B > C), total_conversions, total_conversion_value, total_null."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--model", required=True, help="for example last_touch, first_touch, linear")
        parser.add_argument("--order", type=int, default=None, help="for models that remember several touches")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            method = methods.get(options["model"])
        except UnknownPart as error:
            raise CommandError(str(error)) from None
        try:
            with options["file"].open(encoding="utf-8-sig", newline="") as lines:
                rows = paths.read(lines)
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise CommandError(f"{options['file']} is not in UTF-8; save it as CSV UTF-8") from None
        except Problems as error:
            raise CommandError("\n".join(f"{options['file']}: {problem}" for problem in error.problems)) from None
        scores = paths.score(rows, method, method.parameters())
        warnings = [*paths.warnings(rows)]
        if options["order"] is not None:
            warnings.append(f"{options['model']} has no order; --order changes nothing")
        if options["as_json"]:
            self.stdout.write(_as_json(options["model"], scores, warnings))
        else:
            self._print(options["model"], scores, warnings)

    def _print(self, model: str, scores: dict[str, paths.Score], warnings: list[str]) -> None:
        width = max([len(name) for name in scores], default=0) + 2
        self.stdout.write(f"{model:{width}}{'conversions':>14}{'value':>16}")
        for name, score in scores.items():
            self.stdout.write(f"{name:{width}}{score.conversions:14.4f}{score.value:16.2f}")
        for warning in warnings:
            self.stderr.write(f"Note: {warning}.")


def _as_json(model: str, scores: dict[str, paths.Score], warnings: list[str]) -> str:
    channels = {
        name: {"conversions": score.conversions, "value": score.value, "removal_effect": score.removal_effect}
        for name, score in scores.items()
    }
    return json.dumps({"model": model, "order": None, "channels": channels, "warnings": warnings}, ensure_ascii=False)
