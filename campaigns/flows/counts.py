"""Per-step counters, written as deltas with the batch that caused them."""

from collections import Counter
from datetime import datetime

from campaigns.flows.chains import Move
from campaigns.flows.graph import END_NODE
from loyalty.kit.sql import execute

ENTERED, ARRIVED = "entered", "arrived"


def write_counts(move: Move, by_arm: dict[int, int], *, left: str | None) -> int:
    """Count what a move did: the exit left by (`left`, None at entry), the exits of instant steps, the arrivals.

    Returns how many people moved. `arrived` minus all exits of a resting step is who waits there.
    """
    counts: Counter[tuple[int, str]] = Counter()
    for number, n in by_arm.items():
        arm = move.chain.arms[number]
        for node, exit_no in arm.path:
            exits = move.graph.node(node).exits
            counts[node, exits[exit_no] if exits else "exited"] += n
        if arm.target != END_NODE:
            counts[arm.target, ARRIVED] += n
        else:
            counts[END_NODE, "finished" if arm.status == 2 else "exited"] += n
    moved = sum(by_arm.values())
    if moved:
        counts[(END_NODE, ENTERED) if left is None else (move.from_node, left)] += moved
        add_counts(move.version_id, counts, now=move.now)
    return moved


def add_counts(version_id: int, counts: Counter[tuple[int, str]], *, now: datetime) -> None:
    """Append the deltas of one batch in one statement."""
    items = [(node, name, n) for (node, name), n in counts.items() if n]
    if not items:
        return
    execute(
        "INSERT INTO flow_count (version_id, node, exit, n, at) SELECT %(version)s, node, exit, n, %(now)s"
        " FROM unnest(%(nodes)s::smallint[], %(exits)s::text[], %(ns)s::bigint[]) AS t (node, exit, n)",
        {
            "version": version_id,
            "now": now,
            "nodes": [item[0] for item in items],
            "exits": [item[1] for item in items],
            "ns": [item[2] for item in items],
        },
    )


def fold() -> int:
    """Replace the deltas of each (version, step, exit) by their sum; how many rows went."""
    return execute(
        "WITH busy AS MATERIALIZED (SELECT version_id, node, exit FROM flow_count GROUP BY 1, 2, 3 HAVING"
        " count(*) > 50),"
        " gone AS (DELETE FROM flow_count c USING busy b WHERE (c.version_id, c.node, c.exit) = (b.version_id,"
        " b.node, b.exit)"
        " RETURNING c.version_id, c.node, c.exit, c.n, c.at)"
        " INSERT INTO flow_count (version_id, node, exit, n, at)"
        " SELECT version_id, node, exit, sum(n), max(at) FROM gone GROUP BY 1, 2, 3"
    )
