"""`manage.py replay_rule FILE.yaml --weeks 4`: what a draft of an earning rule would have given and cost."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from loyalty.kit import clock
from loyalty.kit.document_text import read
from loyalty.kit.problems import Problems
from loyalty.program.replay import replay
from loyalty.program.setup import load


class Command(BaseCommand):
    help = "Run the last weeks' bookings through the earning rules with a draft among them; nothing is kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="one document of kind earning_rule")
        parser.add_argument("--weeks", type=int, default=4)
        parser.add_argument("--program")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            written, mistakes = read(options["file"].read_bytes(), str(options["file"]))
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error}") from None
        if mistakes:
            raise CommandError("; ".join(map(str, mistakes)))
        drafts = [one.value for one in written if one.value.get("kind") == "earning_rule"]
        if len(drafts) != 1:
            raise CommandError(f"{options['file']} has {len(drafts)} documents of kind earning_rule; one is wanted")
        try:
            setup = load(options["program"])
            found = replay(drafts[0], setup=setup, weeks=options["weeks"], now=clock.now())
        except Problems as error:
            raise CommandError("; ".join(map(str, error.problems))) from None
        if options["json"]:
            self.stdout.write(json.dumps(asdict(found), default=str))
            return
        self.stdout.write(f"{found.bookings} bookings since {found.since:%Y-%m-%d}; the draft reaches {found.members}")
        for one in found.rules:
            mark = "*" if one.draft else " "
            self.stdout.write(f"{mark} {one.rule:<30} {one.actual:>12} -> {one.replayed:>12} points {one.cost:>12}")
        self.stdout.write(f"together {found.cost} {setup.document.currency}")
