"""Log lines that an operator can read at 3 a.m. and a machine can parse: `time level event key=value ...`."""

import logging
from datetime import UTC, datetime
from typing import Any


def fields(**values: Any) -> dict[str, Any]:
    """The `extra` of a log call: `logger.info("flows.batch.done", extra=fields(size=n, ms=ms))`. No personal data."""
    return {"fields": values}


class LineFormatter(logging.Formatter):
    """One line per record; control characters in values are escaped so that no value can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = f"{at} {record.levelname.lower():7} {_clean(record.getMessage())}"
        for name, value in getattr(record, "fields", {}).items():
            line += f" {name}={_clean(value)}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def _clean(value: object) -> str:
    text = str(value)
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
