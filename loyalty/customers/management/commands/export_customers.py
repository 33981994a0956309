"""Export customers to a CSV file that import_customers reads again; `-` writes to standard output."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loyalty.customers.exporting import export_customers
from loyalty.kit.audiences import members_of, unknown
from loyalty.kit.sql import sql


class Command(BaseCommand):
    help = "Export customers to a CSV file that import_customers reads again; '-' writes to standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="the file to write, or - for standard output")
        parser.add_argument("--segment", metavar="KEY", help="only the stored members of this segment")
        parser.add_argument("--restricted", action="store_true", help="also people whose data is restricted")

    def handle(self, *args: Any, **options: Any) -> None:
        key = options["segment"]
        if key and unknown([key]):
            raise CommandError(f"there is no segment {key!r}")
        people = sql("SELECT customer_id FROM ({members}) AS found", members=members_of([key])) if key else None
        pieces = export_customers(people=people, restricted=options["restricted"])
        if options["file"] == "-":
            for piece in pieces:
                self.stdout.write(piece, ending="")
            return
        path = Path(options["file"])
        count = -1
        try:
            with path.open("w", encoding="utf-8", newline="") as stream:
                for piece in pieces:
                    count += piece.count("\n")
                    stream.write(piece)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror or error}") from None
        self.stdout.write(f"{count:,} lines in {path}.")
