"""Make an API key and print it, once."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loyalty.access.models import SCOPES
from loyalty.access.operations import create_api_key, revoke_api_key
from loyalty.kit import clock
from loyalty.kit.problems import Problems


class Command(BaseCommand):
    help = "Make an API key and print it once; only its hash is kept."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the program that will use it")
        parser.add_argument("--scopes", nargs="+", default=["*"], metavar="SCOPE", help=f"any of {', '.join(SCOPES)}")
        parser.add_argument("--days", type=int, help="days until it expires (default: never)")
        parser.add_argument("--revoke", metavar="PREFIX", help="end the key that begins so, before making the new one")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        if options["days"] is not None and options["days"] < 1:
            raise CommandError("--days must be at least 1")
        if options["revoke"] and not revoke_api_key(prefix=options["revoke"], now=now):
            raise CommandError(f"no live key begins with {options['revoke']!r}")
        scopes = [scope for given in options["scopes"] for scope in given.split(",") if scope]
        lifetime = timedelta(days=options["days"]) if options["days"] else None
        try:
            key = create_api_key(name=options["name"], scopes=scopes, now=now, lifetime=lifetime)
        except Problems as refusal:
            raise CommandError("\n".join(str(problem) for problem in refusal.problems)) from None
        self.stderr.write("The key is shown this once; keep it where the program finds it:")
        self.stdout.write(key.secret)
