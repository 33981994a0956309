"""`manage.py sink`: the mail sink alone, with faults on request."""

from argparse import Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from loyalty.local import sink


class Command(BaseCommand):
    help = "Run the local mail sink in the foreground (it keeps every mail and delivers none)."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        sink.add_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        sink.run(Namespace(**options))
