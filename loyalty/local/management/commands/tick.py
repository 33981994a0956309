"""`manage.py tick`: everything that is due at one instant, in the foreground, upstream first; needs no broker."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_datetime

from loyalty.kit import clock
from loyalty.kit.chores import Chore, all_chores, get_chore, send_hints_with
from loyalty.local.running import Run, run_chore

MAX_ROUNDS = 100_000


class Command(BaseCommand):
    help = "Run all that is due (segments, entries, steps, deliveries, ...) once, or --until-idle: until nothing is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--at", metavar="ISO", help="the instant to work for, e.g. 2026-05-01T09:00:00+02:00; default now"
        )
        parser.add_argument(
            "--until-idle", action="store_true", help="repeat until every chore says that nothing is left"
        )
        parser.add_argument("--only", metavar="KEY", action="append", help="only this chore (may be given again)")

    def handle(self, *args: Any, **options: Any) -> None:
        send_hints_with(lambda _item: None)
        try:
            chores = [get_chore(key) for key in options["only"]] if options["only"] else list(all_chores())
        except KeyError as error:
            raise CommandError(str(error.args[0])) from None
        at = _instant(options["at"]) if options["at"] else None
        failed = self._rounds(chores, at, until_idle=options["until_idle"])
        if failed:
            raise CommandError("failed: " + ", ".join(f"{key} ({error})" for key, error in sorted(failed.items())))

    def _rounds(self, chores: list[Chore], at: datetime | None, *, until_idle: bool) -> dict[str, str]:
        """Rounds over all chores; the error of each chore whose last run failed (a failed one is not tried again)."""
        failed: dict[str, str] = {}
        total: dict[str, int] = {}
        for _ in range(MAX_ROUNDS):
            did = 0
            for item in chores:
                if item.key in failed:
                    continue
                run = run_chore(item, now=(lambda: at) if at else clock.now, alone=False)
                did += run.done
                total[item.key] = total.get(item.key, 0) + run.done
                if run.error:
                    failed[item.key] = run.error
                self._tell(run)
            if not until_idle or not did:
                break
        done = sum(total.values())
        self.stdout.write(f"idle, {done} done" if until_idle and not failed else f"{done} done")
        return failed

    def _tell(self, run: Run) -> None:
        if run.error:
            self.stdout.write(f"{run.key}: failed after {run.done}")
        elif run.done:
            self.stdout.write(f"{run.key}: {run.done} in {run.ms} ms")


def _instant(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"--at {text!r} is no date and time; write it as 2026-05-01T09:00:00+02:00")
    if found.tzinfo is None:
        raise CommandError(f"--at {text!r} has no offset; add one, such as +02:00 or Z")
    return found.astimezone(UTC)
