"""What flows hold about people."""

from collections.abc import Sequence
from typing import Any

from campaigns.flows.counts import ARRIVED, ENTERED
from loyalty.kit.erasures import PersonalData, hold_personal_data
from loyalty.kit.sql import execute, fetch, fetch_dicts

# Deltas that take the people back out: else those who waited would be counted as waiting for ever. What steps did
# meanwhile stays counted, it names nobody.
_FORGET = """
WITH gone AS (DELETE FROM enrollment WHERE customer_id = ANY(%(ids)s) RETURNING version_id, node, status),
deltas AS (
    SELECT version_id, 0 AS node, %(entered)s::text AS exit FROM gone
    UNION ALL SELECT version_id, node, %(arrived)s::text FROM gone WHERE status = 1
    UNION ALL SELECT version_id, 0, (ARRAY['finished', 'exited', 'failed', 'stopped'])[status - 1] FROM gone
    WHERE status > 1),
counted AS (
    INSERT INTO flow_count (version_id, node, exit, n, at)
    SELECT version_id, node, exit, -count(*), statement_timestamp() FROM deltas GROUP BY 1, 2, 3)
SELECT count(*) FROM gone"""


def _erase(customer_ids: Sequence[int]) -> int:
    """Enrollments and their log go; the counters forget that these people came, wait or left."""
    ids = {"ids": list(customer_ids)}
    mine = "(SELECT id FROM enrollment WHERE customer_id = ANY(%(ids)s))"
    touched = execute(f"DELETE FROM step_log WHERE enrollment_id IN {mine}", ids)  # noqa: S608 - a constant
    touched += execute("DELETE FROM enrollment_failure WHERE customer_id = ANY(%(ids)s)", ids)
    return touched + fetch(_FORGET, {**ids, "arrived": ARRIVED, "entered": ENTERED})[0][0]


def _export(customer_id: int) -> dict[str, list[dict[str, Any]]]:
    rows = fetch_dicts(
        "SELECT f.key AS flow, e.entered_at, e.since, e.status, e.holdout FROM enrollment e JOIN flow f ON f.id"
        " = e.flow_id"
        " WHERE e.customer_id = %(id)s ORDER BY e.entered_at",
        {"id": customer_id},
    )
    return {"enrollment": rows}


def _merge(winner: int, loser: int) -> int:
    """Hand the loser's enrollments over, numbered behind the winner's so that the unique key holds."""
    return execute(
        "UPDATE enrollment e SET customer_id = %(winner)s, entry_no = e.entry_no + coalesce((SELECT max(w.entry_no)"
        " FROM enrollment w WHERE w.customer_id = %(winner)s AND w.flow_id = e.flow_id AND w.entry_key ="
        " e.entry_key), 0)"
        " WHERE e.customer_id = %(loser)s",
        {"winner": winner, "loser": loser},
    )


hold_personal_data(PersonalData("flows", _erase, _export, _merge))
