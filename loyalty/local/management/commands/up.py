"""`manage.py up`: the whole house in one terminal."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from loyalty.local.site import Site


class Command(BaseCommand):
    help = "Run embedded services, web, workers, beat, ticker and mail sink in one terminal; Ctrl-C stops all of them."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, help="port of the web server (default: 8000, or a free one)")
        parser.add_argument("--host", default="127.0.0.1", help="address the web server listens on")
        parser.add_argument("--workers", type=int, default=2, help="processes of each Celery worker")

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(Site(host=options["host"], processes_each=options["workers"]).run())
