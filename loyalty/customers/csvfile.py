"""Pure: reading a CSV file in constant memory, with a byte cursor, and telling exactly what is wrong with it.

Only encodings that keep ASCII bytes (UTF-8, Windows-1252, ISO 8859, ...) are read, because lines are cut before they
are decoded: that is what makes the cursor a byte offset one can seek to.
"""

import codecs
import csv
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from loyalty.kit.problems import Problem, Problems

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
BLOCK_BYTES = 1 << 20
# What a file of rejected rows begins with: mended, it can be imported as it is.
REJECTED_HEADER = ("line", "problems")
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Column:
    """A field that an import knows; `aliases` are other headers under which files carry it."""

    name: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opened:
    """A checked file: `fields[i]` is the field that cell i goes to (None: ignored); data begins at byte `start`."""

    path: Path
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    fields: tuple[str | None, ...]
    start: int
    start_line: int
    size: int
    digest: str


class Line(NamedTuple):
    """One record: its cells, or what is wrong with it; the line it begins on; the byte and line after it."""

    cells: list[str]
    number: int
    end: int
    end_line: int
    problem: str | None = None


def open_csv(
    path: Path,
    *,
    columns: Sequence[Column],
    required: Sequence[tuple[str, ...]],
    extra: str | None,
    mapping: Mapping[str, str],
    encoding: str | None,
    delimiter: str | None,
) -> Opened:
    """Check the whole file's encoding and its header; raises Problems with every mistake found."""
    encoding, digest, size = _check_encoding(path, encoding)
    with path.open("rb") as stream:
        mark = len(codecs.BOM_UTF8) if encoding == "utf-8" and stream.read(3) == codecs.BOM_UTF8 else 0
        stream.seek(mark)
        source = _Lines(stream, encoding, mark, 0)
        first = next(source, "")
        delimiter = delimiter or _delimiter_of(first)
        record = next(csv.reader(_chain(first, source), delimiter=delimiter), [])
        header = tuple(cell.strip() for cell in record)
    if not any(header):
        raise Problems([Problem(path.name, "has no header line", "the first line must name the columns")])
    fields = _fields(path.name, header, columns, required, extra, mapping)
    return Opened(path, encoding, delimiter, header, fields, source.offset, source.line, size, digest)


def read_lines(opened: Opened, *, offset: int, line: int) -> Iterator[Line]:
    """The records from a cursor on (`opened.start`, `opened.start_line` for all); empty lines are left out."""
    with opened.path.open("rb", buffering=BLOCK_BYTES) as stream:
        stream.seek(offset)
        source = _Lines(stream, opened.encoding, offset, line)
        reader = csv.reader(source, delimiter=opened.delimiter)
        width = len(opened.fields)
        while True:
            number = source.line + 1
            problem = None
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                cells, problem = [], f"cannot be read as CSV: {error}; is a quote not closed?"
            if not cells and problem is None:
                continue
            if problem is None and len(cells) != width:
                problem = f"has {len(cells)} cells, the header has {width}"
            yield Line(cells, number, source.offset, source.line, problem)


class _Lines:
    """Decoded lines of a binary stream; `offset` and `line` stand behind what was handed out."""

    def __init__(self, stream: BinaryIO, encoding: str, offset: int, line: int) -> None:
        self._stream, self._encoding = stream, encoding
        self.offset, self.line = offset, line

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        raw = self._stream.readline()
        if not raw:
            raise StopIteration
        self.offset += len(raw)
        self.line += 1
        return raw.decode(self._encoding)


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _check_encoding(path: Path, wanted: str | None) -> tuple[str, str, int]:
    """(encoding, SHA-256, size) after decoding all of the file once; raises Problems naming line and byte."""
    name = "utf-8" if wanted is None else _known_encoding(path.name, wanted)
    decoder = codecs.getincrementaldecoder(name)()
    digest, size, lines, last_break = hashlib.sha256(), 0, 0, -1
    try:
        stream = path.open("rb")
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise Problems([Problem(str(path), f"cannot be opened: {reason}", "check the path")]) from None
    with stream:
        while block := stream.read(BLOCK_BYTES):
            if size == 0 and block.startswith(_UTF16_MARKS):
                raise Problems([Problem(path.name, "is UTF-16", "save it as UTF-8 (in Excel: 'CSV UTF-8')")])
            kept = len(decoder.getstate()[0])
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                at = error.start - kept
                inside = block[: max(at, 0)]
                line = lines + inside.count(b"\n") + 1
                start = inside.rfind(b"\n")
                column = at - start if start >= 0 else size + at - last_break
                raise Problems([_wrong_encoding(path.name, name, line, column, error)]) from None
            digest.update(block)
            newline = block.rfind(b"\n")
            if newline >= 0:
                last_break = size + newline
            lines += block.count(b"\n")
            size += len(block)
    if decoder.getstate()[0]:
        problem = f"the file ends inside a {name} character"
        raise Problems([Problem(f"{path.name} line {lines + 1}", problem, "the file is cut off")])
    return name, digest.hexdigest(), size


def _wrong_encoding(file: str, encoding: str, line: int, column: int, error: UnicodeDecodeError) -> Problem:
    byte = error.object[error.start]
    remedy = "name the file's encoding with --encoding, for example cp1252 (Windows, Excel) or iso-8859-15"
    return Problem(f"{file} line {line}, byte {column}", f"byte 0x{byte:02X} is not {encoding}", remedy)


def _known_encoding(file: str, wanted: str) -> str:
    try:
        name = codecs.lookup(wanted).name
        keeps_ascii = 'a,;\t"\n'.encode(name) == b'a,;\t"\n'
    except (LookupError, TypeError):
        remedy = "use for example utf-8, cp1252, iso-8859-15"
        raise Problems([Problem("--encoding", f"unknown encoding {wanted!r}", remedy)]) from None
    if name == "utf-8-sig":
        return "utf-8"
    if not keeps_ascii:
        raise Problems([Problem("--encoding", f"{wanted} cannot be read in a stream", f"save {file} as UTF-8")])
    return name


def _delimiter_of(header: str) -> str:
    """The delimiter that occurs most in the header, outside of quotes; a comma for a single column."""
    plain = re.sub(r'"[^"]*"', "", header)
    return max(DELIMITERS, key=plain.count)


def field_key(header: str) -> str:
    """How headers are compared: `External-ID ` and `external_id` are the same."""
    return re.sub(r"[\s\-]+", "_", header.strip().lower())


def _fields(
    file: str,
    header: tuple[str, ...],
    columns: Sequence[Column],
    required: Sequence[tuple[str, ...]],
    extra: str | None,
    mapping: Mapping[str, str],
) -> tuple[str | None, ...]:
    known = {field_key(name): column.name for column in columns for name in (column.name, *column.aliases)}
    prefixes = tuple(column.name[:-1] for column in columns if column.name.endswith(".*"))
    wishes = {field_key(csv_column): field.strip() for csv_column, field in mapping.items()}
    problems = [
        Problem(f"--map {column}", "the file has no such column", f"found: {', '.join(header)}")
        for column in mapping
        if field_key(column) not in {field_key(name) for name in header}
    ]
    fields: list[str | None] = []
    for name in header:
        key = field_key(name)
        if header[:2] == REJECTED_HEADER and name in REJECTED_HEADER and key not in wishes:
            fields.append(None)
        elif key in wishes:
            field = _mapped(wishes[key], known, prefixes)
            if wishes[key] and field is None:
                names = ", ".join(column.name for column in columns)
                problems.append(Problem(f"--map {name}={wishes[key]}", "unknown field", f"known: {names}"))
            fields.append(field)
        elif key in known or key.startswith(prefixes or ("\0",)):
            fields.append(known.get(key, key))
        else:
            fields.append(f"{extra}{key}" if extra and key else None)
    for field in sorted({field for field in fields if field and fields.count(field) > 1}):
        problems.append(Problem(file, f"two columns go to {field}", "map one of them elsewhere: --map COLUMN="))
    for choice in required:
        if not any(_serves(field, one) for field in fields for one in choice):
            found = f"found: {', '.join(header)}"
            remedy = f"{found}; rename the column or say which one it is with --map COLUMN={choice[0]}"
            problems.append(Problem(file, f"needs a column {' or '.join(choice)}", remedy))
    if problems:
        raise Problems(problems)
    return tuple(fields)


def _mapped(wish: str, known: Mapping[str, str], prefixes: tuple[str, ...]) -> str | None:
    if not wish:
        return None
    if field_key(wish) in known:
        return known[field_key(wish)]
    return wish if wish.startswith(prefixes or ("\0",)) else None


def _serves(field: str | None, wanted: str) -> bool:
    if field is None:
        return False
    return field == wanted or (wanted.endswith(".*") and field.startswith(wanted[:-1]))
