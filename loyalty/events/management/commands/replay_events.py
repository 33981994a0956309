"""`manage.py replay_events`: past events go once more to a consumer."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loyalty.events import queue
from loyalty.events.replay import replay
from loyalty.kit import clock
from loyalty.kit.problems import Problems


class Command(BaseCommand):
    help = (
        "Send past events to a consumer again, for example after its work was lost. The consumer works them as if they "
        "had just come: a flow may take people in again where its reentry rule lets it. Times are ISO 8601 with "
        "offset; from is included, to is not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--consumer", required=True, help="who gets them, as on the page Events of the admin")
        parser.add_argument("--from", dest="since", required=True, help="events that happened from this instant on")
        parser.add_argument("--to", dest="until", help="and before this one; now if not given")
        parser.add_argument(
            "--type", dest="names", action="append", default=[], help="only this name (repeatable); all it follows"
        )
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *args: Any, **options: Any) -> None:
        since = _instant("--from", options["since"])
        until = _instant("--to", options["until"]) if options["until"] else clock.now()
        if since >= until:
            raise CommandError("--from must be before --to")
        total = 0
        try:
            spans = replay(options["consumer"], options["names"], since=since, until=until, dry_run=options["dry_run"])
            for span in spans:
                total += span.events
                self.stdout.write(f"{span.since:%Y-%m-%d %H:%M} .. {span.until:%H:%M} UTC: {span.events:,}")
        except Problems as refused:
            raise CommandError("\n".join(str(problem) for problem in refused.problems)) from None
        if options["dry_run"]:
            self.stdout.write(f"{total:,} events would be sent to {options['consumer']} again.")
            return
        queue.wake()
        self.stdout.write(f"{total:,} events wait for {options['consumer']} again.")


def _instant(option: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{option}: {text!r} is no ISO 8601 time; write 2026-11-21T09:30:00+01:00") from None
    if found.tzinfo is None:
        raise CommandError(f"{option}: {text!r} has no offset from UTC; write 2026-11-21T09:30:00+01:00")
    return found
