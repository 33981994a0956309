"""What suppliers still have to be told, as rows in the database: found, taken, settled, in whole sets.

One row a redemption, and its revision: a message always says how the order is now, so that nothing can arrive in the
wrong order, and a message that arrives twice says the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from loyalty.kit.sql import execute, fetch, fetch_values, sql
from loyalty.rewards import names

BATCH = 25
FOUND_AT_ONCE = 5_000
LEASE_SECONDS = 120
# Ten attempts, the waits doubling from half a minute to an hour: 3 h 4 min.
MOST_ATTEMPTS = 10
# After so many failures in a row a supplier rests, for a minute and then twice as long each time.
FAILURES_TO_REST = 5


def find_new(*, now: datetime) -> int:
    """Note the orders that suppliers with a webhook do not know yet, once they are paid for; how many."""
    return execute(
        sql(
            "INSERT INTO supplier_order (redemption_id, supplier_id, state, due_at, created_at)"
            " SELECT o.id, s.id, 'waiting', {now}, {now} FROM supplier s JOIN reward r"
            " ON r.definition ->> 'supplier' = s.key JOIN reward_redemption o ON o.reward_id = r.id"
            " WHERE s.pushed_since IS NOT NULL AND o.ordered_at >= s.pushed_since AND o.customer_id IS NOT NULL"
            " AND o.state = ANY({early}::text[])"
            " AND (o.state = 'approved' OR s.definition -> 'webhook' ->> 'from' IS NULL) AND r.type <> 'bundle'"
            " AND (r.type <> 'physical' OR o.address IS NOT NULL)"
            " AND NOT EXISTS (SELECT FROM reward_redemption u WHERE u.id IN (o.id, o.parent_id)"
            " AND u.money IS NOT NULL AND u.payment IS NULL)"
            " AND NOT EXISTS (SELECT FROM supplier_order known WHERE known.redemption_id = o.id)"
            " ORDER BY o.id LIMIT {most} ON CONFLICT (redemption_id) DO NOTHING",
            now=now,
            early=list(names.REVOCABLE),
            most=FOUND_AT_ONCE,
        )
    )


def tell_again(redemption_ids: Sequence[int], *, now: datetime, cancelled: bool = False) -> int:
    """These have changed: suppliers who may know of them are told. What nobody was told of is not cancelled there."""
    if not redemption_ids:
        return 0
    ids = sql("{ids}::bigint[]", ids=list(redemption_ids))
    if cancelled:
        execute(
            sql(
                "DELETE FROM supplier_order WHERE redemption_id = ANY({ids}) AND told = 0 AND attempts = 0"
                " AND lease_until IS NULL",
                ids=ids,
            )
        )
    return execute(
        sql(
            "UPDATE supplier_order SET revision = revision + 1, state = 'waiting', attempts = 0, due_at = {now}"
            " WHERE redemption_id = ANY({ids}) AND (told > 0 OR attempts > 0 OR lease_until IS NOT NULL)",
            now=now,
            ids=ids,
        )
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """An order to tell its supplier of; `attempts` were made before."""

    redemption_id: int
    supplier_id: int
    revision: int
    told: int
    attempts: int


def take(*, now: datetime) -> list[Taken]:
    """Take what is due, of each supplier a few and the longest due first; others leave it alone for a while.

    Of a supplier who failed again and again it is one order, to see whether it works again.
    """
    rows = fetch(
        sql(
            "UPDATE supplier_order o SET lease_until = clock_timestamp() + {lease} * interval '1 second'"
            " FROM (SELECT due.redemption_id FROM supplier s CROSS JOIN LATERAL (SELECT w.redemption_id"
            " FROM supplier_order w WHERE w.supplier_id = s.id AND w.state = 'waiting' AND w.due_at <= {now}"
            " AND (w.lease_until IS NULL OR w.lease_until < clock_timestamp()) ORDER BY w.due_at"
            " LIMIT CASE WHEN s.failures >= {many} THEN 1 ELSE {batch} END FOR UPDATE SKIP LOCKED) due"
            " WHERE s.state = 'active' AND s.pushed_since IS NOT NULL"
            " AND (s.resting_until IS NULL OR s.resting_until <= {now})) due WHERE o.redemption_id = due.redemption_id"
            " RETURNING o.redemption_id, o.supplier_id, o.revision, o.told, o.attempts",
            lease=LEASE_SECONDS,
            now=now,
            many=FAILURES_TO_REST,
            batch=BATCH,
        )
    )
    return [Taken(*row) for row in sorted(rows)]


def contents(taken: Sequence[Taken]) -> dict[int, dict[str, object]]:
    """What is told of each: everything about an order, of one not to be sent (any more) only that; one query."""
    rows = fetch_values(
        sql(
            "SELECT o.id AS number, o.state, r.key AS reward, r.name, r.type, o.quantity, o.ordered_at, o.note,"
            " o.address, s.starts_at AS slot FROM reward_redemption o JOIN reward r ON r.id = o.reward_id"
            " LEFT JOIN reward_slot s ON s.id = o.slot_id WHERE o.id = ANY({ids}::bigint[])",
            ids=[one.redemption_id for one in taken],
        )
    )
    found: dict[int, dict[str, object]] = {}
    known = {one.redemption_id: one for one in taken}
    for row in rows:
        one = known[row["number"]]
        state = row.pop("state")
        # Who reported it as delivered was told of it: these were cancelled, or sent and handed over by somebody else.
        if state in (names.CANCELLED, names.DELIVERED) or (not one.told and state not in names.REVOCABLE):
            found[one.redemption_id] = {
                "event": "order.cancelled", "number": one.redemption_id, "revision": one.revision,
            }  # fmt: skip
            continue
        event = "order.changed" if one.told else "order.placed"
        times = {name: row[name].isoformat() for name in ("ordered_at", "slot") if row[name]}
        rest = {name: value for name, value in {**row, **times}.items() if value is not None}
        found[one.redemption_id] = {"event": event, "revision": one.revision, **rest}
    return found


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of one: told, later (counts as an attempt), held (does not), dead, or free (nothing was tried)."""

    order: Taken
    outcome: str
    wait: int = 0
    status: int | None = None
    fault: str | None = None


def settle(done: Sequence[Settled], *, now: datetime) -> None:
    """Write down what came of all that was taken. What has changed since it was sent is due at once."""
    if not done:
        return
    execute(
        sql(
            "UPDATE supplier_order o SET lease_until = NULL,"
            " told = CASE WHEN d.outcome = 'told' THEN greatest(o.told, d.revision) ELSE o.told END,"
            " state = CASE WHEN o.state = 'told' THEN 'told' WHEN o.revision > d.revision THEN 'waiting'"
            " WHEN d.outcome IN ('told', 'dead')"
            " THEN d.outcome WHEN d.outcome = 'later' AND o.attempts + 1 >= {most} THEN 'dead' ELSE o.state END,"
            " attempts = CASE WHEN o.revision > d.revision THEN 0 ELSE o.attempts"
            " + CASE WHEN d.outcome IN ('later', 'dead', 'told') THEN 1 ELSE 0 END END,"
            " due_at = CASE WHEN o.revision > d.revision OR d.outcome = 'free' THEN o.due_at"
            " ELSE {now}::timestamptz + d.wait * interval '1 second' END,"
            " last_at = CASE WHEN d.outcome = 'free' THEN o.last_at ELSE {now} END,"
            " last_status = CASE WHEN d.outcome = 'free' THEN o.last_status ELSE d.status END,"
            " last_error = CASE WHEN d.outcome = 'free' THEN o.last_error ELSE d.fault END"
            " FROM unnest({ids}::bigint[], {revisions}::smallint[], {outcomes}::text[], {waits}::int[],"
            " {statuses}::smallint[], {faults}::text[]) AS d (id, revision, outcome, wait, status, fault)"
            " WHERE o.redemption_id = d.id",
            most=MOST_ATTEMPTS,
            now=now,
            ids=[one.order.redemption_id for one in done],
            revisions=[one.order.revision for one in done],
            outcomes=[one.outcome for one in done],
            waits=[one.wait for one in done],
            statuses=[one.status for one in done],
            faults=[one.fault for one in done],
        )
    )


@dataclass(frozen=True, slots=True)
class Health:
    """How a supplier did: whether anything `worked`, the failures after that, and the pause it asked for."""

    supplier_id: int
    worked: bool
    failures: int
    pause: int = 0


def note_health(found: Sequence[Health], *, now: datetime) -> None:
    """Let suppliers rest who fail again and again, or who asked for it."""
    execute(
        sql(
            "UPDATE supplier s SET failures = h.total, told_at = CASE WHEN h.worked THEN {now} ELSE s.told_at END,"
            " resting_until = CASE WHEN h.pause > 0 THEN {now}::timestamptz + h.pause * interval '1 second'"
            " WHEN h.total >= {many} THEN {now}::timestamptz"
            " + least(60, power(2, least(h.total, 20) - {many})) * interval '1 minute' END"
            " FROM (SELECT u.id, u.worked, u.pause, least(1000, u.failures + CASE WHEN u.worked THEN 0"
            " ELSE p.failures END) AS total FROM unnest({ids}::int[], {worked}::boolean[], {failures}::int[],"
            " {pauses}::int[]) AS u (id, worked, failures, pause) JOIN supplier p ON p.id = u.id) h WHERE s.id = h.id",
            now=now,
            many=FAILURES_TO_REST,
            ids=[one.supplier_id for one in found],
            worked=[one.worked for one in found],
            failures=[one.failures for one in found],
            pauses=[one.pause for one in found],
        )
    )


def revive(*, now: datetime, supplier_id: int | None = None, redemption_ids: Sequence[int] | None = None) -> int:
    """Try again what was given up, of a supplier or only these; how many."""
    return execute(
        sql(
            "UPDATE supplier_order SET state = 'waiting', attempts = 0, due_at = {now} WHERE state = 'dead'"
            " AND ({supplier}::int IS NULL OR supplier_id = {supplier}::int)"
            " AND ({ids}::bigint[] IS NULL OR redemption_id = ANY({ids}::bigint[]))",
            now=now,
            supplier=supplier_id,
            ids=None if redemption_ids is None else list(redemption_ids),
        )
    )


def known_to_them(redemption_ids: Sequence[int]) -> None:
    """Their supplier has said something of these, so it knows of them, whatever became of our last message."""
    execute(
        sql(
            "UPDATE supplier_order SET told = revision, state = 'told' WHERE redemption_id = ANY({ids}::bigint[])"
            " AND state <> 'told'",
            ids=list(redemption_ids),
        )
    )


def counts() -> dict[int, dict[str, int]]:
    """How many orders of each supplier are in which state."""
    rows = fetch("SELECT supplier_id, state, count(*) FROM supplier_order GROUP BY 1, 2")
    found: dict[int, dict[str, int]] = {}
    for supplier_id, state, number in rows:
        found.setdefault(supplier_id, {})[state] = number
    return found


def wake_up(supplier_id: int) -> None:
    """The supplier answers again: nothing has to wait for a try."""
    execute(sql("UPDATE supplier SET failures = 0, resting_until = NULL WHERE id = {id}", id=supplier_id))
