"""What flows hold about people."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from campaigns.flows.counts import ARRIVED, ENTERED
from loyalty.kit.erasures import (
    Held,
    Moved,
    Pairs,
    PersonalData,
    Return,
    by_loser,
    give_back,
    hand_over,
    hold_personal_data,
    pairs_sql,
)
from loyalty.kit.sql import execute, fetch, fetch_dicts, sql

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


def _merge(pairs: Pairs, now: datetime) -> Moved:
    """Hand the losers' enrollments over, numbered behind the winners' so that the unique key holds."""
    query = sql(
        "WITH numbered AS MATERIALIZED (SELECT e.id, e.entry_no AS old, pairs.loser, pairs.winner,"
        " coalesce((SELECT max(w.entry_no) FROM enrollment w WHERE w.customer_id = pairs.winner"
        " AND w.flow_id = e.flow_id AND w.entry_key = e.entry_key), 0)"
        " + row_number() OVER (PARTITION BY pairs.winner, e.flow_id, e.entry_key ORDER BY pairs.loser, e.entry_no)"
        " AS entry_no FROM {pairs} JOIN enrollment e ON e.customer_id = pairs.loser),"
        " moved AS (UPDATE enrollment e SET customer_id = n.winner, entry_no = n.entry_no FROM numbered n"
        " WHERE e.id = n.id RETURNING n.loser, e.id, n.old)"
        " SELECT loser, jsonb_agg(jsonb_build_array(id, old) ORDER BY id) FROM moved GROUP BY 1",
        pairs=pairs_sql(pairs),
    )
    return {
        "enrollment": by_loser(fetch(query)),
        "enrollment_failure": hand_over(pairs, "enrollment_failure"),
    }


def _unmerge(given: Return) -> None:
    """The loser's enrollments are its own again, under their old numbers."""
    query = sql(
        "UPDATE enrollment e SET customer_id = {loser}, entry_no = (was.value ->> 1)::integer"
        " FROM jsonb_array_elements({moved}::jsonb) AS was"
        " WHERE e.id = (was.value ->> 0)::bigint AND e.customer_id = {winner}",
        loser=given.loser,
        winner=given.winner,
        moved=json.dumps(list(given.moved.get("enrollment", ()))),
    )
    execute(query)
    give_back(given, "enrollment_failure")


_MINE = "enrollment_id IN (SELECT id FROM enrollment WHERE customer_id = ANY({ids}))"
_PURPOSE = _("to send the right message of a campaign at the right time, and none twice")
_KEPT = _("as long as your profile")
TABLES = (
    Held(
        "enrollment",
        _("The campaigns you take part in and how far you are"),
        _PURPOSE,
        _("made when you enter a campaign"),
        _("no message twice, none that no longer fits"),
        _KEPT,
    ),
    Held(
        "step_log",
        _("Each step you took in them"),
        _PURPOSE,
        _("kept with each step"),
        _("you can ask why you got a message"),
        _KEPT,
        rows=_MINE,
    ),
    Held(
        "enrollment_failure",
        _("Steps that failed for a technical reason"),
        _("to repair them"),
        _("kept with each failure"),
        _("mistakes are found"),
        _KEPT,
    ),
)

hold_personal_data(PersonalData("flows", _erase, _export, _merge, _unmerge, TABLES))
