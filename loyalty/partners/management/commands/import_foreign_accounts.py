"""`manage.py import_foreign_accounts KEY FILE.csv`: balances in a foreign program."""

import csv
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from loyalty.kit import clock
from loyalty.partners.foreign import BATCH, mirror
from loyalty.partners.models import ForeignProgram

COLUMNS = ("number", "balance", "as_of", "external_id", "card", "email", "phone")
PROBLEMS_SHOWN = 20


class Command(BaseCommand):
    help = "Mirror the balances of a foreign program from a CSV file with the columns number, balance, as_of and one of"
    help += " external_id, card, email, phone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help="the foreign program")
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="say what would be done")

    def handle(self, *args: Any, **options: Any) -> None:
        program = ForeignProgram.objects.select_related("program").filter(key=options["key"]).first()
        if program is None:
            known = ", ".join(ForeignProgram.objects.values_list("key", flat=True)) or "none"
            raise CommandError(f"there is no foreign program {options['key']!r}; known: {known}")
        counts = dict.fromkeys(("created", "updated", "unchanged", "unknown", "rejected"), 0)
        now, before = clock.now(), 1
        with transaction.atomic():
            for rows in _batches(options["file"]):
                done = mirror(foreign=program, rows=rows, now=now)
                for name in counts:
                    value = getattr(done, name)
                    counts[name] += value if isinstance(value, int) else len(value)
                for index, problems in done.rejected[:PROBLEMS_SHOWN]:
                    self.stderr.write(f"line {before + index + 1}: {'; '.join(map(str, problems))}")
                before += len(rows)
            if options["dry_run"]:
                transaction.set_rollback(True)
        self.stdout.write(", ".join(f"{name} {count}" for name, count in counts.items()))


def _batches(file: Path) -> Iterator[list[dict[str, Any]]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            missing = {"number", "balance"} - set(reader.fieldnames or ())
            if missing:
                raise CommandError(f"{file} lacks the columns {', '.join(sorted(missing))}")
            while rows := [_row(line) for line in islice(reader, BATCH)]:
                yield rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{file} cannot be read: {error}") from None


def _row(line: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {name: line[name] for name in ("number", "balance", "as_of") if line.get(name)}
    if line.get("external_id"):
        row["customer"] = line["external_id"]
    else:
        named = [kind for kind in ("card", "email", "phone") if line.get(kind)]
        if named:
            row["customer"] = {named[0]: line[named[0]]}
    return row
