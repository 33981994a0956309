"""Import a suppression list (opt-outs, bounces, Robinson lists) from a CSV file."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from loyalty.consent.operations import ADDRESSED_CHANNELS, suppress_valid
from loyalty.customers.commands import ImportCommand
from loyalty.customers.imports import Chunk, Column, Written


class Command(ImportCommand):
    help = "Put the addresses of a CSV file on a channel's suppression list. Nothing is ever taken off it by an import."
    noun = "suppression"
    job_kind = "suppressions"
    columns = (Column("address", ("email", "e_mail", "mail", "phone", "telephone", "number")),)
    required = (("address",),)
    own_options = ("channel", "purpose", "reason")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--channel", required=True, choices=ADDRESSED_CHANNELS, help="the channel they are barred from"
        )
        parser.add_argument(
            "--purpose",
            default="",
            choices=("", "marketing", "service", "tracking", "profiling"),
            help="only this purpose (default: all but transactional)",
        )
        parser.add_argument("--reason", default="imported", help="kept with each address")

    def write_chunk(self, chunk: Chunk, *, now: datetime, options: dict[str, Any]) -> Written:
        """Suppress the chunk's addresses by one statement."""
        addresses = [record.get("address", "") for record in chunk.records()]
        accepted, added, refused = suppress_valid(
            options["channel"], addresses, reason=options["reason"], purpose=options["purpose"], now=now
        )
        return Written(accepted, created=added, rejected=refused)
