"""`manage.py import_points FILE.csv`: points from another program, each row once."""

import csv
from argparse import ArgumentParser
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from loyalty.kit import clock
from loyalty.kit.problems import Problems
from loyalty.program.imports import import_points
from loyalty.program.setup import load

BATCH = 5_000


class Command(BaseCommand):
    help = "Give points from a CSV file with the columns id, points, one of customer, card, email, phone, and maybe"
    help += " expires_at. A row whose id came before gives nothing again. Rejected rows are written beside the file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--program", help="only needed where there are several")
        parser.add_argument("--wallet", help="the program's first wallet unless said")
        parser.add_argument("--reason", default="import", help="stands beside the points in the ledger")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done")

    def handle(self, *args: Any, **options: Any) -> None:
        now, line = clock.now(), 2
        given = repeated = points = 0
        rejected: list[tuple[int, dict[str, Any], str]] = []
        try:
            setup = load(options["program"])
            with options["file"].open(newline="", encoding="utf-8-sig") as handle, transaction.atomic():
                reader = csv.DictReader(handle)
                missing = {"id", "points"} - set(reader.fieldnames or ())
                if missing:
                    raise CommandError(f"{options['file']} lacks the columns {', '.join(sorted(missing))}")
                while rows := list(islice(reader, BATCH)):
                    done = import_points(rows, setup=setup, wallet=options["wallet"], reason=options["reason"], now=now)
                    given, repeated, points = given + done.given, repeated + done.repeated, points + done.points
                    rejected += [(line + place, rows[place], "; ".join(map(str, why))) for place, why in done.rejected]
                    line += len(rows)
                if options["dry_run"]:
                    transaction.set_rollback(True)
        except Problems as error:
            raise CommandError("; ".join(map(str, error.problems))) from None
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise CommandError(f"{options['file']} cannot be read: {error}") from None
        would = "would be " if options["dry_run"] else ""
        self.stdout.write(f"{given} rows with {points} points {would}given, {repeated} came before,"
                          f" {len(rejected)} rejected")  # fmt: skip
        if rejected:
            self._keep(options["file"], rejected)

    def _keep(self, file: Path, rejected: list[tuple[int, dict[str, Any], str]]) -> None:
        target = file.with_name(f"{file.stem}.rejected.csv")
        with target.open("w", newline="", encoding="utf-8") as out:
            columns = [name for name in rejected[0][1] if name is not None]
            writer = csv.writer(out)
            writer.writerow(["line", *columns, "why"])
            writer.writerows([number, *(row.get(name) for name in columns), why] for number, row, why in rejected)
        self.stdout.write(f"rejected rows with their reasons: {target}")
