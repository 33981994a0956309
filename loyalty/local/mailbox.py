"""Reads what the mail sink kept (`sinklog` tells the format); no database, safe while the sink writes."""

import email
import email.policy
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import IO, Any

from loyalty.local.sinklog import LOG

_BLOCK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log."""

    n: int
    at: str
    mail_from: str
    rcpt: list[str]
    message_id: str
    size: int
    headers: dict[str, str]
    file: str
    offset: int
    fault: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class ReadMail:
    """One mail, parsed: `headers` in their order, decoded; `html` and `text` are empty when it has no such part."""

    entry: Entry
    headers: list[tuple[str, str]]
    html: str
    text: str
    attachments: list[tuple[str, str, int]] = field(default_factory=list)
    raw: bytes = b""


class Mailbox:
    """The mails of one sink directory."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)

    def count(self) -> int:
        """How many mails were accepted, ever."""
        for line in self._lines_backwards():
            return int(line["n"])
        return 0

    def newest(self, *, limit: int = 50, before: int | None = None, subjects: bool = True) -> list[Entry]:
        """The newest mails, newest first; `before` is the `n` of the last one already seen."""
        found: list[Entry] = []
        for line in self._lines_backwards(before):
            found.append(self._entry(line, subjects=subjects))
            if len(found) >= limit:
                break
        return found

    def to(self, recipient: str, *, limit: int = 50, before: int | None = None, subjects: bool = True) -> list[Entry]:
        """The newest mails with a recipient that contains this text (letters alike), newest first."""
        wanted, found = recipient.strip().lower(), []
        for line in self._lines_backwards(before):
            if any(wanted in address.lower() for address in line["rcpt"]):
                found.append(self._entry(line, subjects=subjects))
                if len(found) >= limit:
                    break
        return found

    def entries(self) -> Iterator[Entry]:
        """All mails, oldest first, without subjects: for counting and checking."""
        try:
            with (self.directory / LOG).open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        yield self._entry(json.loads(line), subjects=False)
        except FileNotFoundError:
            return

    def read(self, n: int) -> ReadMail:
        """The mail number `n`; raises KeyError."""
        line = self._find(n)
        if line is None:
            raise KeyError(n)
        entry = self._entry(line, subjects=True)
        raw = self._raw(entry)
        message = email.message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(message, EmailMessage)  # noqa: S101 - the policy promises it
        headers = [(name, str(value)) for name, value in message.items()]
        parts = [
            (part.get_filename() or "", part.get_content_type(), len(part.get_payload(decode=True) or b""))
            for part in message.iter_attachments()
        ]
        return ReadMail(entry, headers, _body(message, "html"), _body(message, "plain"), parts, raw)

    def _raw(self, entry: Entry) -> bytes:
        with (self.directory / entry.file).open("rb") as file:
            return os.pread(file.fileno(), entry.size, entry.offset)

    def _entry(self, line: dict[str, Any], *, subjects: bool) -> Entry:
        entry = Entry(**line)
        if not subjects:
            return entry
        with (self.directory / entry.file).open("rb") as file:
            head = os.pread(file.fileno(), min(entry.size, 16 * 1024), entry.offset)
        message = email.message_from_bytes(head.partition(b"\r\n\r\n")[0], policy=email.policy.default)
        return Entry(**line, subject=str(message["subject"] or ""))

    def _lines_backwards(self, before: int | None = None) -> Iterator[dict[str, Any]]:
        """Lines of the log from the newest back, those with `n` below `before`."""
        try:
            file = (self.directory / LOG).open("rb")
        except FileNotFoundError:
            return
        with file:
            end = os.fstat(file.fileno()).st_size if before is None else self._place(file, before)
            rest = b""
            while end > 0:
                begin = max(0, end - _BLOCK)
                lines = (os.pread(file.fileno(), end - begin, begin) + rest).split(b"\n")
                end, rest = begin, lines[0]
                # The piece after the last line break is a line still being written, or empty.
                for line in reversed(lines[1:] if begin else lines):
                    if line:
                        try:
                            yield json.loads(line)
                        except ValueError:
                            continue

    def _find(self, n: int) -> dict[str, Any] | None:
        try:
            with (self.directory / LOG).open("rb") as file:
                file.seek(self._place(file, n))
                line = file.readline()
        except FileNotFoundError:
            return None
        if not line.endswith(b"\n"):
            return None
        found: dict[str, Any] = json.loads(line)
        return found if found["n"] == n else None

    @staticmethod
    def _place(file: IO[bytes], n: int) -> int:
        """Where line number `n` begins (or the end of the file), by halving: lines are ordered by `n`."""
        low, high = 0, os.fstat(file.fileno()).st_size
        while low < high:
            middle = (low + high) // 2
            file.seek(middle)
            if middle:
                file.seek(middle - 1)
                file.readline()
            start = file.tell()
            line = file.readline()
            if start >= high or not line.endswith(b"\n"):
                high = middle
            elif json.loads(line)["n"] < n:
                low = file.tell()
            else:
                high = middle if start > middle else start
        file.seek(low)
        return low


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content()).replace("\r\n", "\n")
    except (LookupError, ValueError):
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
