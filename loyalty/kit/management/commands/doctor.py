"""`manage.py doctor`: what is wrong with this installation and how to mend it."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import autodiscover_modules

from loyalty.kit.diagnoses import diagnoses, findings

MARKS = {"ok": "ok      ", "warning": "warning ", "broken": "BROKEN  "}


class Command(BaseCommand):
    help = (
        "Examine settings, database, broker, queues, senders, clocks and disk; exit status 1 when something is broken."
    )
    # Django's own checks may need what is broken.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        import_module("loyalty.kit.doctor")
        autodiscover_modules("diagnoses")
        found: dict[str, list[dict[str, str]]] = {}
        broken = 0
        for item in diagnoses():
            results = findings(item)
            found[item.key] = [asdict(result) for result in results]
            bad = [result for result in results if result.level == "broken"]
            broken += len(bad)
            if not options["json"]:
                for result in results:
                    self.stdout.write(f"{MARKS[result.level]}{item.key}: {result.text}")
                    if result.remedy:
                        self.stdout.write(f"          -> {result.remedy}")
            if bad and item.vital:
                break
        if options["json"]:
            self.stdout.write(json.dumps({"broken": broken, "findings": found}))
        if broken:
            raise CommandError(f"{broken} broken")
