"""Importing a file: streaming, in chunks of one transaction each, resumable, with the refused rows kept in a file.

What a caller gives (see `import_customers`; `commands.ImportCommand` wires the options of a command):

    report = run_import(
        Path("people.csv"),
        job_kind="customers",                      # names the job; the same file may be imported as several kinds
        columns=[Column("email", ("mail",)), Column("attributes.*")],   # `x.*` admits every field that begins with `x.`
        required=[("external_id", "email")],       # of each tuple at least one column must be in the file
        extra="attributes.",                       # unknown headers become `attributes.<header>`; None ignores them
        write_chunk=write,                         # def write(chunk: Chunk) -> Written, inside the chunk's transaction
        now=now,
    )

`write_chunk` gets up to `chunk_rows` rows (`chunk.fields`, `chunk.rows`, or `chunk.records()` as dicts without the
empty cells) and says what it did with them; `Written.rejected` names rows by their index in the chunk. It never sees
rows whose number of cells is wrong: those are refused before. The cursor (byte and line) is committed together with
the chunk, so a killed import goes on where it stopped and nothing is written twice; `restart=True` begins anew. A
finished job starts again from the top, which changes nothing where the file's values already stand.

Raises Problems for a file that cannot be imported at all (encoding with line and byte, missing columns, unknown --map).
"""

import csv
import gc
import hashlib
import io
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from django.db import transaction
from tqdm import tqdm

from loyalty.customers.csvfile import REJECTED_HEADER, Column, Line, Opened, open_csv, read_lines
from loyalty.customers.models import ImportJob
from loyalty.kit.problems import Problem, Problems

__all__ = ["Chunk", "Column", "ImportReport", "Written", "run_import"]

# 20,000 rows are about 0.5 s of work: long enough to spread the cost of a commit, short enough to hold nobody up.
CHUNK_ROWS = 20_000
REASON_MAX = 200
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"[^\"]*\"")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one transaction: `rows[i][j]` is the cell of `fields[j]` (None: an ignored column) on line `lines[i]`."""

    fields: tuple[str | None, ...]
    rows: list[list[str]]
    lines: list[int]

    def records(self) -> Iterator[dict[str, str]]:
        """Each row as {field: cell}, cells stripped, empty cells and ignored columns left out."""
        used = [(place, name) for place, name in enumerate(self.fields) if name is not None]
        for row in self.rows:
            yield {name: cell for place, name in used if (cell := row[place].strip())}


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a chunk: rows taken, of which new or changed; refused ones as (index in the chunk, problems);
    fields that nobody had announced, with the types guessed for them."""

    accepted: int
    created: int = 0
    changed: int = 0
    rejected: Sequence[tuple[int, Sequence[Problem]]] = ()
    learned: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class ImportReport:
    """The sums of one run; `resumed_at` is the line where an earlier run had stopped (0: from the top).

    `reasons` counts what was wrong with refused rows, without their values; `finished` is False when time ran out.
    """

    accepted: int = 0
    created: int = 0
    changed: int = 0
    rejected: int = 0
    resumed_at: int = 0
    rejected_path: Path | None = None
    seconds: float = 0.0
    examples: list[tuple[int, str]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    learned: dict[str, str] = field(default_factory=dict)
    finished: bool = True


class Taken(Problems):
    """Another process moved the job's cursor meanwhile; nothing was written twice."""


class RejectSink(Protocol):
    """Where refused rows go: (line, cells, problems) inside the chunk's transaction; `size` bytes so far."""

    size: int
    path: Path | None

    def add(self, refused: Sequence[tuple[int, list[str], str]]) -> None: ...
    def __enter__(self) -> "RejectSink": ...
    def __exit__(self, *_: object) -> None: ...


def run_import(
    path: Path,
    *,
    job_kind: str,
    columns: Sequence[Column],
    required: Sequence[tuple[str, ...]],
    write_chunk: Callable[[Chunk], Written],
    now: datetime,
    extra: str | None = None,
    mapping: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    rejected_folder: Path | None = None,
    dry_run: bool = False,
    restart: bool = False,
    progress: bool = True,
    chunk_rows: int = CHUNK_ROWS,
    job: ImportJob | None = None,
    rejects: RejectSink | None = None,
    seconds: float | None = None,
) -> ImportReport:
    """Import the file (see the module); `options` are further choices that make another import of the same file.

    A caller with a `job` of its own goes on at that one's cursor; `rejects` takes refused rows instead of a file.
    After `seconds` the import stops behind a chunk, to be gone on with.
    """
    began = time.perf_counter()
    mapping, options = dict(mapping or {}), dict(options or {})
    opened = open_csv(
        path,
        columns=columns,
        required=required,
        extra=extra,
        mapping=mapping,
        encoding=encoding,
        delimiter=delimiter,
    )
    job = job or _begin(
        opened, job_kind, {"map": mapping, "delimiter": opened.delimiter, **options}, dry_run, restart, now
    )
    report = ImportReport(resumed_at=job.cursor_line if job.cursor_bytes > opened.start else 0)
    rejects = rejects or Rejects((rejected_folder or Path()) / f"rejected-{path.stem}.csv", opened, job.rejected_bytes)
    bar = tqdm(
        total=opened.size, initial=job.cursor_bytes, unit="B", unit_scale=True, disable=None if progress else True
    )
    with bar, rejects, _quiet_collector() as sweep:
        for chunk, end, refused in _chunks(opened, job, chunk_rows):
            with transaction.atomic():
                _hold(job)
                written = write_chunk(chunk) if chunk.rows else Written(0)
                refused += [(chunk.lines[i], chunk.rows[i], _text(problems)) for i, problems in written.rejected]
                refused.sort(key=lambda item: item[0])
                rejects.add(refused)
                _advance(job, end, written, len(refused), rejects.size, now)
                if dry_run:
                    transaction.set_rollback(True)
            report.accepted += written.accepted
            report.created += written.created
            report.changed += written.changed
            report.rejected += len(refused)
            report.learned |= written.learned
            report.reasons.update(reason for _line, _cells, text in refused for reason in _reasons(text))
            report.examples += [(line, text) for line, _cells, text in refused[: 5 - len(report.examples)]]
            bar.update(end.end - bar.n)
            sweep()
            if seconds is not None and time.perf_counter() - began >= seconds:
                report.finished = end.end >= opened.size
                break
    report.seconds = time.perf_counter() - began
    if not dry_run and report.finished:
        ImportJob.objects.filter(pk=job.pk).update(state=ImportJob.State.FINISHED, finished_at=now)
    report.rejected_path = rejects.path if rejects.size else None
    return report


@contextmanager
def _quiet_collector() -> Iterator[Callable[[], int]]:
    """Garbage collection only between chunks: within one it walks 20,000 living rows again and again (24,000 rows/s
    instead of 33,000)."""
    gc.freeze()
    gc.disable()
    try:
        yield gc.collect
    finally:
        gc.enable()
        gc.unfreeze()


def _begin(
    opened: Opened, kind: str, options: dict[str, Any], dry_run: bool, restart: bool, now: datetime
) -> ImportJob:
    """The job of this file with these options, its cursor where the work goes on."""
    text = json.dumps(options, sort_keys=True, default=str)
    key = {
        "kind": kind,
        "file_digest": opened.digest,
        "options_digest": hashlib.sha256(text.encode()).hexdigest(),
    }
    fresh = {
        "file_name": opened.path.name,
        "size_bytes": opened.size,
        "cursor_bytes": opened.start,
        "cursor_line": opened.start_line,
        "state": ImportJob.State.RUNNING,
        "started_at": now,
        "updated_at": now,
    }
    if dry_run:
        return ImportJob(**key, **fresh)
    job, _ = ImportJob.objects.get_or_create(**key, defaults=fresh)
    if restart or job.state == ImportJob.State.FINISHED:
        zero = dict.fromkeys(("accepted", "created", "changed", "rejected", "rejected_bytes"), 0)
        ImportJob.objects.filter(pk=job.pk).update(**fresh, **zero, finished_at=None)
        job.refresh_from_db()
    return job


def _hold(job: ImportJob) -> None:
    """Lock the job for this chunk; raises Problems when another process has moved its cursor."""
    if job.pk is None:
        return
    cursor = ImportJob.objects.select_for_update().values_list("cursor_bytes", flat=True).get(pk=job.pk)
    if cursor != job.cursor_bytes:
        raise Taken([Problem(job.file_name, "is being imported by another process", "let that one finish")])


def _advance(job: ImportJob, end: Line, written: Written, rejected: int, rejected_bytes: int, now: datetime) -> None:
    job.cursor_bytes, job.cursor_line, job.rejected_bytes = end.end, end.end_line, rejected_bytes
    job.accepted += written.accepted
    job.created += written.created
    job.changed += written.changed
    job.rejected += rejected
    job.updated_at = now
    if job.pk is not None:
        job.save(
            update_fields=[
                *("cursor_bytes", "cursor_line", "rejected_bytes"),
                *("accepted", "created", "changed", "rejected", "updated_at"),
            ]
        )


def _chunks(
    opened: Opened, job: ImportJob, chunk_rows: int
) -> Iterator[tuple[Chunk, Line, list[tuple[int, list[str], str]]]]:
    """(rows to write, last line read, lines refused for their shape) until the file ends."""
    rows: list[list[str]] = []
    lines: list[int] = []
    refused: list[tuple[int, list[str], str]] = []
    line = None
    for line in read_lines(opened, offset=job.cursor_bytes, line=job.cursor_line):
        if line.problem is not None:
            refused.append((line.number, line.cells, line.problem))
        else:
            rows.append(line.cells)
            lines.append(line.number)
        if len(rows) + len(refused) >= chunk_rows:
            yield Chunk(opened.fields, rows, lines), line, refused
            rows, lines, refused = [], [], []
    if line is not None and (rows or refused):
        yield Chunk(opened.fields, rows, lines), line, refused


def _text(problems: Sequence[Problem]) -> str:
    return "; ".join(str(problem) for problem in problems)


def _reasons(text: str) -> list[str]:
    """The reasons of a refused row without the values that they quote, so that equal ones are counted together."""
    return [_QUOTED.sub("…", reason.partition(" (")[0])[:REASON_MAX] for reason in text.split("; ")]


class Rejects(RejectSink):
    """The file of refused rows: line, problems, then the row as it came; made when the first one is refused.

    What an interrupted run wrote behind the last commit is cut off first (`keep` bytes are known to be right).
    """

    def __init__(self, path: Path, opened: Opened, keep: int) -> None:
        self.path: Path | None = path
        self._path = path
        self.size = keep if keep and path.exists() else 0
        self._opened = opened
        self._stream: BinaryIO | None = None

    def __enter__(self) -> "Rejects":
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def add(self, refused: Sequence[tuple[int, list[str], str]]) -> None:
        """Append the rows; they are on disk when this returns."""
        if not refused:
            return
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self._opened.delimiter, lineterminator="\n")
        if self._stream is None:
            self._stream = self._path.open("r+b" if self.size else "wb")
            self._stream.truncate(self.size)
            self._stream.seek(self.size)
        if self.size == 0:
            writer.writerow([*REJECTED_HEADER, *self._opened.header])
        for line, cells, problems in refused:
            writer.writerow([line, problems, *cells])
        self._stream.write(text.getvalue().encode())
        self._stream.flush()
        self.size = self._stream.tell()
