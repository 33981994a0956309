"""The options, messages and exit statuses that all import commands share."""

import argparse
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser

from loyalty.customers.csvfile import DELIMITERS
from loyalty.customers.imports import Chunk, Column, ImportReport, Written, run_import
from loyalty.kit import clock
from loyalty.kit.problems import Problems

REASONS_SHOWN = 10
_DELIMITERS = {name: mark for mark, name in DELIMITERS.items()} | {mark: mark for mark in DELIMITERS}


class ImportCommand(BaseCommand):
    """A command that imports one CSV file; a subclass names its columns and writes its chunks.

    `noun` is what a row is ("customer"); `own_options` names the subclass's options that make another import of a file.
    """

    noun: ClassVar[str]
    job_kind: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]]
    required: ClassVar[tuple[tuple[str, ...], ...]]
    extra: ClassVar[str | None] = None
    own_options: ClassVar[tuple[str, ...]] = ()

    def write_chunk(self, chunk: Chunk, *, now: datetime, options: dict[str, Any]) -> Written:
        """Write the rows; runs inside the chunk's transaction."""
        raise NotImplementedError

    def add_arguments(self, parser: CommandParser) -> None:
        known = ", ".join(column.name for column in self.columns)
        parser.add_argument("file", type=Path, help=f"CSV file with a header line. Fields: {known}.")
        parser.add_argument(
            "--map",
            action="extend",
            default=[],
            type=_mappings,
            metavar="COLUMN=FIELD",
            help="the file's column COLUMN is our FIELD; 'COLUMN=' leaves it out. May be repeated, or several at once:"
            " A=x,B=y.",
        )
        parser.add_argument("--encoding", help="the file's encoding, such as cp1252; UTF-8 if not given")
        parser.add_argument("--delimiter", choices=sorted(_DELIMITERS), help="found by itself if not given")
        parser.add_argument("--dry-run", action="store_true", help="check everything, write only the rejected rows")
        parser.add_argument("--restart", action="store_true", help="begin at the top, also after an interrupted run")
        parser.add_argument("--rejected-folder", type=Path, default=Path(), help="where rejected rows go")
        parser.add_argument("--no-progress", action="store_true", help="no progress bar")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        try:
            report = run_import(
                options["file"],
                job_kind=self.job_kind,
                columns=self.columns,
                required=self.required,
                extra=self.extra,
                write_chunk=lambda chunk: self.write_chunk(chunk, now=now, options=options),
                now=now,
                mapping=dict(options["map"]),
                options={name: options[name] for name in self.own_options},
                encoding=options["encoding"],
                delimiter=_DELIMITERS.get(options["delimiter"] or ""),
                rejected_folder=options["rejected_folder"],
                dry_run=options["dry_run"],
                restart=options["restart"],
                progress=not options["no_progress"],
            )
        except Problems as refusal:
            lines = "\n".join(f"  - {problem}" for problem in refusal.problems)
            raise CommandError(f"{options['file']} was not imported:\n{lines}") from None
        self.tell(report, dry_run=options["dry_run"])

    def tell(self, report: ImportReport, *, dry_run: bool) -> None:
        """Print what happened."""
        if report.resumed_at:
            self.stdout.write(f"Went on after line {report.resumed_at:,}, where an earlier run had stopped.")
        would = "would be " if dry_run else ""
        unchanged = report.accepted - report.created - report.changed
        self.stdout.write(
            f"{report.accepted:,} {self.noun} rows accepted: {report.created:,} {would}new, "
            f"{report.changed:,} {would}changed, {unchanged:,} as they were."
        )
        rate = (report.accepted + report.rejected) / max(report.seconds, 0.001)
        self.stdout.write(f"{report.seconds:,.1f} s, {rate:,.0f} rows/s.")
        if report.accepted and not report.created and not report.changed:
            self.stdout.write("Nothing changed: everything in the file was already so.")
        if report.rejected:
            self.stdout.write(
                self.style.WARNING(f"{report.rejected:,} rows rejected, with reasons in {report.rejected_path}")
            )
            for line, text in report.examples:
                self.stdout.write(f"  line {line}: {text}")
        if len(report.reasons) > 1:
            for reason, count in report.reasons.most_common(REASONS_SHOWN):
                self.stdout.write(f"  {count:,} x {reason}")
        if report.learned:
            found = ", ".join(f"{name} ({type_})" for name, type_ in sorted(report.learned.items()))
            self.stdout.write(f"Unknown columns {'would become' if dry_run else 'became'} attributes: {found}")
        if dry_run:
            self.stdout.write("Dry run: nothing was written.")


def _mappings(text: str) -> list[tuple[str, str]]:
    """One mapping or, where every part between commas is one, several: a column's name may hold a comma itself."""
    parts = text.split(",")
    return [_mapping(part.strip()) for part in (parts if all("=" in part for part in parts) else [text])]


def _mapping(text: str) -> tuple[str, str]:
    column, equals, field = text.rpartition("=")
    if not equals or not column:
        raise argparse.ArgumentTypeError(f"{text!r} is not COLUMN=FIELD")
    return column, field
