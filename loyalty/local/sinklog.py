"""What the mail sink keeps: one JSON line per mail in `log.jsonl`, the raw mails end to end in `mails-*.eml`.

A line is `{"n", "at", "mail_from", "rcpt": [...], "message_id", "size", "headers": {"x-...": ...}, "file", "offset"}`
and, for a mail whose sender was left without an answer on purpose, `"fault": "dropped"`. `n` counts from 1, no gaps.
Both files are only appended to; a mail counts as accepted when its line is complete.
"""

import fcntl
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LOG = "log.jsonl"
FILE_SIZE = 1024**3


@dataclass(frozen=True, slots=True)
class Mail:
    """One accepted mail as it came over the wire (dots already unstuffed)."""

    mail_from: str
    rcpt: list[str]
    raw: bytes
    fault: str = ""


def noted_headers(raw: bytes) -> tuple[str, dict[str, str]]:
    """The Message-ID and all X- headers (names in lower case) of a raw mail."""
    end = raw.find(b"\r\n\r\n")
    noted: dict[str, str] = {}
    last = ""
    for line in raw[: end if end >= 0 else len(raw)].split(b"\r\n"):
        if line[:1] in (b" ", b"\t"):
            if last:
                noted[last] += " " + line.strip().decode("utf-8", "replace")
            continue
        first, last = line[:1], ""
        if first in (b"X", b"x", b"M", b"m"):
            name, _, value = line.partition(b":")
            lower = name.decode("ascii", "replace").lower()
            if lower.startswith("x-") or lower == "message-id":
                last = lower
                noted[lower] = value.strip().decode("utf-8", "replace")
    message_id = noted.pop("message-id", "")
    return message_id, noted


class SinkLog:
    """The writing side; one process at a time per directory."""

    def __init__(self, directory: Path) -> None:
        """Open or make the directory; raises BlockingIOError when another sink writes there."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        self._log = os.open(directory / LOG, flags, 0o600)
        fcntl.flock(self._log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.count = self._recover()
        files = sorted(directory.glob("mails-*.eml"))
        self._file_number = int(files[-1].stem.partition("-")[2]) if files else 1
        self._open_file()

    def _open_file(self) -> None:
        self._name = f"mails-{self._file_number:06d}.eml"
        self._raw = os.open(self.directory / self._name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._offset = os.fstat(self._raw).st_size

    def _recover(self) -> int:
        """Cut a line that a killed sink left unfinished (its mail was never acknowledged); the last mail's number."""
        size = os.fstat(self._log).st_size
        tail = os.pread(self._log, 1024**2, max(0, size - 1024**2))
        whole = tail.rfind(b"\n") + 1
        if whole < len(tail):
            os.ftruncate(self._log, size - (len(tail) - whole))
        lines = tail[:whole].splitlines()
        return int(json.loads(lines[-1])["n"]) if lines else 0

    def append(self, mails: list[Mail]) -> None:
        """Write the mails, their lines last; on return the kernel has all. Raises OSError (disk full)."""
        if self._offset > FILE_SIZE:
            os.close(self._raw)
            self._file_number += 1
            self._open_file()
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        lines, offset, number = [], self._offset, self.count
        for mail in mails:
            number += 1
            lines.append(self._line(number, at, mail, offset))
            offset += len(mail.raw)
        try:
            _write_all(self._raw, b"".join(mail.raw for mail in mails))
        except OSError:
            os.ftruncate(self._raw, self._offset)
            raise
        before = os.fstat(self._log).st_size
        try:
            _write_all(self._log, "".join(lines).encode())
        except OSError:
            os.ftruncate(self._log, before)
            os.ftruncate(self._raw, self._offset)
            raise
        self._offset, self.count = offset, number

    def _line(self, number: int, at: str, mail: Mail, offset: int) -> str:
        message_id, headers = noted_headers(mail.raw)
        line: dict[str, Any] = {
            "n": number,
            "at": at,
            "mail_from": mail.mail_from,
            "rcpt": mail.rcpt,
            "message_id": message_id,
            "size": len(mail.raw),
            "headers": headers,
            "file": self._name,
            "offset": offset,
        }
        if mail.fault:
            line["fault"] = mail.fault
        return json.dumps(line, separators=(",", ":")) + "\n"

    def close(self) -> None:
        os.close(self._raw)
        os.close(self._log)


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
