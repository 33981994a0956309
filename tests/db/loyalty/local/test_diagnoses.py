"""The doctor's look at the chores."""

import pytest

from loyalty.kit.chores import all_chores
from loyalty.kit.sql import execute, sql
from loyalty.local.diagnoses import look_at_chores

pytestmark = pytest.mark.django_db


def ran(key: str, *, seconds_ago: float = 0.0, error: str | None = None) -> None:
    execute(
        sql(
            "INSERT INTO chore_state (key, last_finished_at, last_done, runs, failures, last_error, last_ms)"
            " VALUES ({key}, clock_timestamp() - {ago} * interval '1 second', 0, 1, 0, {error}, 1)"
            " ON CONFLICT (key) DO UPDATE SET last_finished_at = excluded.last_finished_at,"
            " last_error = excluded.last_error",
            key=key,
            ago=seconds_ago,
            error=error,
        )
    )


def told() -> list[tuple[str, str]]:
    return [(finding.level, finding.text) for finding in look_at_chores()]


def test_nobody_at_work() -> None:
    execute("DELETE FROM chore_state")
    assert told() == [("warning", "nobody does the chores")]


def test_all_at_work_one_late_one_failing() -> None:
    keys = [chore.key for chore in all_chores()]
    for key in keys:
        ran(key)
    assert told() == [("ok", f"all {len(keys)} chores are on time")]
    late = max(all_chores(), key=lambda chore: chore.every)
    ran(late.key, seconds_ago=20 * max(late.every, 120))
    failing = next(key for key in keys if key != late.key)
    ran(failing, error="Traceback ...\nOperationalError: no")
    warnings = told()
    assert ("warning", f"{failing} failed: OperationalError: no") in warnings
    assert any(text.startswith(f"1 of {len(keys)} chores are late: {late.key}") for _, text in warnings)
