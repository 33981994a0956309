"""Files of customers uploaded in the admin: kept in pieces, mapped, tried, then imported by a chore.

The file lies in the database, so any worker on any machine can take it; it is deleted as soon as it is imported.
Refused rows are kept for a month, to be downloaded, mended and uploaded again.
"""

import csv
import hashlib
import io
import json
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from django.db import transaction

from loyalty.customers import people
from loyalty.customers.csvfile import REJECTED_HEADER, Opened, open_csv, read_lines
from loyalty.customers.imports import Chunk, ImportReport, RejectSink, Taken, Written, run_import
from loyalty.customers.models import ImportJob, ImportRejection, ImportUpload
from loyalty.kit.chores import hint
from loyalty.kit.problems import Problem, Problems

PIECE_BYTES = 1 << 20
SIZE_MAX = 512 << 20
SAMPLE_ROWS = 3
# A trial of so many rows answers within a second and finds nearly every kind of mistake.
TRIAL_ROWS = 2_000
SECONDS = 15.0
DRAFT_KEPT = timedelta(days=1)
REJECTIONS_KEPT = timedelta(days=30)
REASONS_KEPT = 50
DEFAULTS: dict[str, Any] = {
    "mapping": {},
    "encoding": None,
    "delimiter": None,
    "empty": "keep",
    "source": people.SOURCE,
}


@dataclass(frozen=True, slots=True)
class Trial:
    """What would become of a file: its header, guessed fields, first cells, and a dry run over its first rows."""

    header: Sequence[str]
    fields: Sequence[str | None]
    samples: Sequence[Sequence[str]]
    report: ImportReport | None
    problems: Sequence[Problem]
    rows: int = 0


class StoredRejects(RejectSink):
    """Refused rows go into a table, within the chunk's transaction."""

    def __init__(self, job: ImportJob) -> None:
        self.path: Path | None = None
        self.size = job.rejected_bytes
        self._job = job

    def __enter__(self) -> "StoredRejects":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def add(self, refused: Sequence[tuple[int, list[str], str]]) -> None:
        """Keep the rows; unprintable zero bytes, which no table holds, are left out."""
        made = [
            ImportRejection(
                job=self._job, line=line, problems=problems, cells=[cell.replace("\0", "") for cell in cells]
            )
            for line, cells, problems in refused
        ]
        ImportRejection.objects.bulk_create(made, batch_size=5_000)
        self.size += sum(len(one.problems) + len(json.dumps(one.cells)) for one in made)


def receive(pieces: Iterable[bytes], *, name: str, options: Mapping[str, Any], now: datetime, actor: str) -> ImportJob:
    """Keep an uploaded file as a draft; raises Problems for an empty or too large one."""
    digest, size, kept = hashlib.sha256(), 0, bytearray()
    with transaction.atomic():
        job = ImportJob.objects.create(
            kind=people.KIND,
            file_name=name,
            file_digest="",
            options_digest=uuid.uuid4().hex,
            size_bytes=0,
            cursor_bytes=0,
            cursor_line=0,
            state=ImportJob.State.DRAFT,
            options={**DEFAULTS, **options},
            actor=actor,
            started_at=now,
            updated_at=now,
        )
        part = 0
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
            if size > SIZE_MAX:
                remedy = "split it, or use the command import_customers"
                raise Problems([Problem(name, f"is larger than {SIZE_MAX >> 20} MB", remedy)])
            kept += piece
            if len(kept) >= PIECE_BYTES:
                ImportUpload.objects.create(job=job, part=part, data=bytes(kept))
                part, kept = part + 1, bytearray()
        if kept:
            ImportUpload.objects.create(job=job, part=part, data=bytes(kept))
        if not size:
            raise Problems([Problem(name, "is empty", "choose a file with a header line and rows")])
        job.size_bytes, job.file_digest = size, digest.hexdigest()
        job.save(update_fields=["size_bytes", "file_digest"])
    return job


@contextmanager
def spooled(job: ImportJob) -> Iterator[Path]:
    """The file on this machine's disk, for the length of a `with` block."""
    with tempfile.TemporaryDirectory(prefix="import-") as folder:
        path = Path(folder, "upload.csv")
        with path.open("wb") as stream:
            for data in job.uploads.order_by("part").values_list("data", flat=True).iterator(chunk_size=8):
                stream.write(data)
        yield path


def choose(*, job: ImportJob, options: Mapping[str, Any]) -> None:
    """Keep the mapping and the other choices of a draft."""
    job.options = {**DEFAULTS, **(job.options or {}), **options}
    ImportJob.objects.filter(pk=job.pk, state=ImportJob.State.DRAFT).update(options=job.options)


def attempt(job: ImportJob, *, now: datetime) -> Trial:
    """Try the mapping on the first rows without writing anything."""
    options = job.options or DEFAULTS
    with spooled(job) as path:
        try:
            opened = _open(path, {**options, "mapping": {}}, required=())
        except Problems as refused:
            return Trial((), (), (), None, _named(refused, job))
        samples = []
        for line in read_lines(opened, offset=opened.start, line=opened.start_line):
            samples.append(line.cells)
            if len(samples) >= SAMPLE_ROWS:
                break
        try:
            wanted = _open(path, options)
            trial = ImportJob(
                kind=job.kind, file_name=job.file_name, cursor_bytes=wanted.start, cursor_line=wanted.start_line
            )
            report = _run(path, job, now, trial=trial)
        except Problems as refused:
            fields = [
                options["mapping"].get(name, field) for name, field in zip(opened.header, opened.fields, strict=True)
            ]
            return Trial(opened.header, fields, samples, None, _named(refused, job))
    return Trial(opened.header, wanted.fields, samples, report, (), report.accepted + report.rejected)


def _open(path: Path, options: Mapping[str, Any], required: Any = people.REQUIRED) -> Opened:
    return open_csv(
        path,
        columns=people.COLUMNS,
        required=required,
        extra=people.EXTRA,
        mapping=options["mapping"],
        encoding=options["encoding"],
        delimiter=options["delimiter"],
    )


def _run(path: Path, job: ImportJob, now: datetime, trial: ImportJob | None = None) -> ImportReport:
    options = job.options or DEFAULTS

    def write(chunk: Chunk) -> Written:
        return people.write_people(chunk, now=now, empty=options["empty"], source=options["source"], actor=job.actor)

    size = {"chunk_rows": TRIAL_ROWS, "seconds": 0.0} if trial else {"seconds": SECONDS}
    return run_import(
        path,
        job_kind=people.KIND,
        columns=people.COLUMNS,
        required=people.REQUIRED,
        extra=people.EXTRA,
        write_chunk=write,
        now=now,
        mapping=options["mapping"],
        encoding=options["encoding"],
        delimiter=options["delimiter"],
        dry_run=trial is not None,
        progress=False,
        job=trial or job,
        rejects=StoredRejects(trial or job) if trial is None else _Forgotten(),
        **size,  # type: ignore[arg-type]
    )


class _Forgotten(RejectSink):
    """Refused rows of a trial are only counted."""

    size = 0
    path = None

    def __enter__(self) -> "_Forgotten":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def add(self, refused: Sequence[tuple[int, list[str], str]]) -> None:
        """Nothing is kept."""


def _named(refused: Problems, job: ImportJob) -> list[Problem]:
    """The mistakes with the name that the person knows the file by."""
    return [
        Problem(one.where.replace("upload.csv", job.file_name), one.problem, one.remedy) for one in refused.problems
    ]


def start(*, job: ImportJob, now: datetime) -> None:
    """Let a worker import the draft."""
    waiting = ImportJob.objects.filter(pk=job.pk, state=ImportJob.State.DRAFT)
    waiting.update(state=ImportJob.State.WAITING, started_at=now, updated_at=now)
    hint("customers.import")


def discard(*, job: ImportJob) -> bool:
    """Give up a draft or a waiting file; False when it has begun meanwhile."""
    with transaction.atomic():
        states = [ImportJob.State.DRAFT, ImportJob.State.WAITING]
        if not ImportJob.objects.select_for_update().filter(pk=job.pk, state__in=states).exists():
            return False
        job.uploads.all().delete()
        ImportJob.objects.filter(pk=job.pk).delete()
    return True


def work(*, now: datetime) -> int:
    """Import waiting files for a while, oldest first; rows read. Old drafts and refused rows are let go."""
    until, rows = monotonic() + SECONDS, 0
    _tidy(now)
    while monotonic() < until:
        begun = ImportJob.objects.filter(state=ImportJob.State.RUNNING, options__isnull=False)
        job = (begun | ImportJob.objects.filter(state=ImportJob.State.WAITING)).order_by("id").first()
        if job is None:
            break
        try:
            rows += _advance(job, now) or 1
        except Taken:
            break
    return rows


def _advance(job: ImportJob, now: datetime) -> int:
    """One stretch of a file; rows read."""
    with spooled(job) as path:
        try:
            if job.state == ImportJob.State.WAITING:
                opened = _open(path, job.options or DEFAULTS)
                job.cursor_bytes, job.cursor_line = opened.start, opened.start_line
                job.state = ImportJob.State.RUNNING
                fresh = ImportJob.objects.filter(pk=job.pk, state=ImportJob.State.WAITING)
                job.options = {**(job.options or DEFAULTS), "header": list(opened.header)}
                begin = {name: getattr(job, name) for name in ("state", "options", "cursor_bytes", "cursor_line")}
                if not fresh.update(**begin):
                    return 0
            report = _run(path, job, now)
        except Taken:
            raise
        except Problems as refused:
            told = "; ".join(str(one) for one in _named(refused, job))
            ImportJob.objects.filter(pk=job.pk).update(state=ImportJob.State.FAILED, problem=told, finished_at=now)
            job.uploads.all().delete()
            return 0
    _keep(job, report)
    return report.accepted + report.rejected


def _keep(job: ImportJob, report: ImportReport) -> None:
    """Add what the stretch found to the job's report; a finished file is deleted."""
    with transaction.atomic():
        kept = ImportJob.objects.select_for_update().get(pk=job.pk)
        old = kept.report or {"reasons": {}, "learned": {}}
        reasons = dict(old["reasons"])
        for reason, count in report.reasons.items():
            if reason in reasons or len(reasons) < REASONS_KEPT:
                reasons[reason] = reasons.get(reason, 0) + count
        kept.report = {"reasons": reasons, "learned": {**old["learned"], **report.learned}}
        kept.save(update_fields=["report"])
        if report.finished:
            kept.uploads.all().delete()


def _tidy(now: datetime) -> None:
    old = ImportJob.objects.filter(state=ImportJob.State.DRAFT, updated_at__lt=now - DRAFT_KEPT)
    for job in old[:10]:
        discard(job=job)
    ImportRejection.objects.filter(job__updated_at__lt=now - REJECTIONS_KEPT).delete()


def rejected_csv(job: ImportJob) -> Iterator[str]:
    """The refused rows as a file that can be mended and imported as it is, a line at a time."""
    header = (job.options or {}).get("header", [])
    yield _line([*REJECTED_HEADER, *header])
    rows = ImportRejection.objects.filter(job=job).order_by("line").values_list("line", "problems", "cells")
    for line, problems, cells in rows.iterator(chunk_size=1_000):
        yield _line([line, problems, *cells])


def _line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
