"""Import customers from a CSV file: streaming, in one merge per chunk, resumable."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from loyalty.customers import people
from loyalty.customers.commands import ImportCommand
from loyalty.customers.imports import Chunk, Written


class Command(ImportCommand):
    help = (
        "Import customers: each row makes or changes the customer of its external_id (or identity, email, phone). "
        "Unknown columns become attributes. An empty cell leaves the value alone, unless --empty clear."
    )
    noun = "customer"
    job_kind = "customers"
    columns = people.COLUMNS
    required = people.REQUIRED
    extra = people.EXTRA
    own_options = ("empty", "source")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--empty", choices=("keep", "clear"), default="keep", help="what an empty cell does")
        parser.add_argument(
            "--source", default=people.SOURCE, metavar="NAME", help="where the values come from; stands in the history"
        )

    def write_chunk(self, chunk: Chunk, *, now: datetime, options: dict[str, Any]) -> Written:
        """Upsert the chunk by one staging pass and one merge."""
        return people.write_people(
            chunk, now=now, empty=options["empty"], source=options.get("source") or people.SOURCE
        )
