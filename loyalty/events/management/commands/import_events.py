"""`manage.py import_events FILE.csv`: a file of things that happened becomes part of the timeline."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, available_timezones

from django.core.management.base import CommandError, CommandParser

from loyalty.customers.commands import ImportCommand
from loyalty.customers.csvfile import DELIMITERS, Opened, open_csv, read_lines
from loyalty.customers.imports import Chunk, Column, Written
from loyalty.customers.models import ImportJob
from loyalty.events import operations, queue
from loyalty.events.rows import event_of, instant_of


@dataclass(frozen=True, slots=True)
class Source:
    """What holds for every row of this file: its digest, and how far its times are moved."""

    digest: str
    shift: timedelta


class Command(ImportCommand):
    help = (
        "Import events from a CSV file. Columns: id, customer (external id; or customer.email, customer.card, ...), "
        "name, occurred_at (ISO 8601 with offset); every other column becomes a property, numbers as numbers. A row "
        "without id is known by the file and its line, so the same file again changes nothing."
    )
    noun = "event"
    job_kind = "events"
    columns = (
        Column("id", ("event_id",)),
        Column("customer", ("customer_id", "external_id")),
        Column("customer.*"),
        Column("name", ("event", "event_name")),
        Column("occurred_at", ("timestamp", "time", "date")),
        Column("properties.*"),
    )
    required: ClassVar[tuple[tuple[str, ...], ...]] = (("customer", "customer.*"), ("name",), ("occurred_at",))
    extra = "properties."
    own_options = ("name", "timezone", "shift_to_now", "source")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--name", help="what happened, for files without a name column and rows without a name")
        parser.add_argument("--timezone", help="zone of times without offset, such as Europe/Berlin")
        parser.add_argument(
            "--shift-to-now",
            action="store_true",
            help="move all times by one and the same span, so that the last is now",
        )
        parser.add_argument(
            "--source",
            default=operations.SOURCE,
            help="whose ids these are; the usual source is that of the API, so what came there is not taken twice",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["timezone"] and options["timezone"] not in available_timezones():
            raise CommandError(f"--timezone: {options['timezone']!r} is no time zone; use a name such as Europe/Berlin")
        self._source: Source | None = None
        if options["name"]:
            named = tuple(choice for choice in Command.required if choice != ("name",))
            self.required = named  # type: ignore[misc]  # of this run only
        super().handle(*args, **options)

    def write_chunk(self, chunk: Chunk, *, now: datetime, options: dict[str, Any]) -> Written:
        """Take the rows in as one batch; rows that are in the timeline already count as accepted."""
        zone = ZoneInfo(options["timezone"]) if options["timezone"] else None
        if self._source is None:
            self._source = self._look(zone, now, options)
        source = self._source
        events = [
            event_of(
                record,
                row_id=f"{source.digest}:{line}",
                name=options["name"],
                zone=zone,
                shift=source.shift,
            )
            for line, record in zip(chunk.lines, chunk.records(), strict=True)
        ]
        taken = operations.intake(events=events, now=now, source=options["source"])
        queue.wake()
        return Written(taken.accepted + taken.duplicates, created=taken.accepted, rejected=taken.rejected)

    def _look(self, zone: ZoneInfo | None, now: datetime, options: dict[str, Any]) -> Source:
        delimiter = {name: mark for mark, name in DELIMITERS.items()}.get(options["delimiter"], options["delimiter"])
        opened = open_csv(
            options["file"],
            columns=self.columns,
            required=self.required,
            extra=self.extra,
            mapping=dict(options["map"]),
            encoding=options["encoding"],
            delimiter=delimiter,
        )
        if not options["shift_to_now"]:
            return Source(opened.digest, timedelta(0))
        last = _last_instant(opened, zone)
        return Source(opened.digest, self._begun_at(opened, now) - last if last else timedelta(0))

    def _begun_at(self, opened: Opened, now: datetime) -> datetime:
        """When the job began: a run that goes on where another stopped must move its rows by the same span."""
        jobs = ImportJob.objects.filter(
            kind=self.job_kind, file_digest=opened.digest, state=ImportJob.State.RUNNING
        ).order_by("-updated_at")
        return jobs.values_list("started_at", flat=True).first() or now


def _last_instant(opened: Opened, zone: ZoneInfo | None) -> datetime | None:
    """The latest time in the file; None when no row has one."""
    place = opened.fields.index("occurred_at")
    instants = (
        instant_of(line.cells[place], zone)
        for line in read_lines(opened, offset=opened.start, line=opened.start_line)
        if line.problem is None
    )
    return max((instant for instant in instants if instant is not None), default=None)
