"""A log line is one line, whatever is in it."""

import logging
import sys

from loyalty.kit.logs import LineFormatter, fields


def line(message: str, **values: object) -> str:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, message, None, None)
    record.created = 1_700_000_000.25
    vars(record).update(fields(**values))
    return LineFormatter().format(record)


def test_time_level_event_and_fields() -> None:
    assert line("flows.batch.done", size=3, ms=1.5) == "2023-11-14T22:13:20.250Z info    flows.batch.done size=3 ms=1.5"


def test_no_value_forges_a_line() -> None:
    told = line("a\nb", who="x\r\n2023 info forged\x1b[31m")
    assert "\n" not in told
    assert told.endswith(r"a\nb who=x\r\n2023 info forged\x1b[31m")


def test_a_crash_keeps_its_trace() -> None:
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", None, sys.exc_info())
    assert LineFormatter().format(record).endswith("RuntimeError: boom")
