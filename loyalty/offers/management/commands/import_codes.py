"""Bring a file of voucher codes into a pool."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loyalty.kit import clock
from loyalty.kit.problems import Problems
from loyalty.offers.text_pages import bring_file

SHOWN = 20


class Command(BaseCommand):
    help = "Bring a file of voucher codes into a pool: one code a line, or CSV with code, amount, valid_until."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("pool", help="key of a pool whose codes are imported")
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            text = options["file"].read_text("utf-8-sig")
            done = bring_file(options["pool"], text, at=clock.now())
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error)) from None
        except Problems as error:
            raise CommandError("\n".join(map(str, error.problems))) from None
        self.stdout.write(f"{done.accepted:,} codes taken, {done.doubles:,} were there, {len(done.rejected):,} refused")
        for line, problems in done.rejected[:SHOWN]:
            self.stdout.write(f"  line {line}: {'; '.join(map(str, problems))}")
