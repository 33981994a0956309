"""Bringing the stored members of a segment in line with its rule, in one statement that touches differences only."""

from dataclasses import dataclass
from datetime import datetime

from loyalty.events import facts, partitions
from loyalty.kit.sql import Sql, fetch, sql


@dataclass(frozen=True, slots=True)
class Moved:
    """How many came in and how many went."""

    joined: int = 0
    left: int = 0

    @property
    def any(self) -> bool:
        """Whether anybody moved."""
        return bool(self.joined or self.left)


def fact_ctes(*, now: datetime) -> Sql:
    """The CTEs that write joined and left facts of the CTE `moved`; the same for every segment, so made once a
    batch.
    """
    partitions.ensure(now, now)
    rows = "SELECT m.customer_id, {now}::timestamptz, m.segment_id::bigint, NULL::jsonb FROM moved m WHERE m.action = "
    joined = facts.ctes("joined", "segment.joined", sql(rows + "'INSERT'", now=now))
    left = facts.ctes("gone", "segment.left", sql(rows + "'DELETE'", now=now))
    return Sql(", ").join([joined, left])


def settle(
    segment_id: int,
    condition: Sql,
    *,
    now: datetime,
    fact_ctes: Sql,
    scope: Sql | None = None,
    touched: Sql | None = None,
) -> Moved:
    """Make the members those for whom `condition` holds, and write the facts.

    With `scope` (selects customer_ids) only they are looked at. `touched` is an INSERT target for who moved, which
    takes (customer_id, segment_id). The caller holds the segment's row lock, so no other session moves the same rows.

    WHEN NOT MATCHED BY SOURCE would say the same in fewer words, but it joins the whole table: the members of every
    other segment are read too (measured: 10 segments of 300,000 members, 2.3 s against 0.5 s). So the differences are
    found first, from this segment's part of the primary key, and MERGE only moves those.
    """
    within = Sql("") if scope is None else sql(" AND c.id IN ({scope})", scope=scope)
    members_within = Sql("") if scope is None else sql(" AND customer_id IN ({scope})", scope=scope)
    rows = fetch(
        sql(
            """WITH difference AS (
                SELECT coalesce(w.id, m.customer_id) AS customer_id
                FROM (SELECT c.id FROM customer c WHERE {condition}{within}) w
                FULL JOIN (SELECT customer_id FROM segment_member WHERE segment_id = {segment_id}{members_within}) m
                    ON m.customer_id = w.id
                WHERE w.id IS NULL OR m.customer_id IS NULL
            ), moved AS (
                MERGE INTO segment_member t USING difference d
                ON t.segment_id = {segment_id} AND t.customer_id = d.customer_id
                WHEN MATCHED THEN DELETE
                WHEN NOT MATCHED THEN INSERT (segment_id, customer_id, since)
                    VALUES ({segment_id}, d.customer_id, {now})
                RETURNING merge_action() AS action, t.segment_id, t.customer_id
            ), {facts}{touched}
            SELECT count(*) FILTER (WHERE action = 'INSERT'), count(*) FILTER (WHERE action = 'DELETE') FROM moved""",
            condition=condition,
            within=within,
            members_within=members_within,
            segment_id=segment_id,
            now=now,
            facts=fact_ctes,
            touched=Sql("")
            if touched is None
            else sql(", touched AS (INSERT INTO {target} SELECT customer_id, segment_id FROM moved)", target=touched),
        )
    )
    return Moved(*rows[0])
