"""Tiers that something else than points gives, such as a fee: for many members at once, as long as it lasts."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from loyalty.events import facts, partitions
from loyalty.kit.sql import execute, fetch, sql
from loyalty.program import membership, tiering
from loyalty.program.setup import Setup

_BESTOW = """WITH given AS (
    SELECT m.id, m.customer_id, b.key AS before, b.rank AS rank_before, t.id AS tier_id, t.key AS after, t.rank,
        g.until
    FROM unnest({ids}::bigint[], {tiers}::text[], {until}::timestamptz[]) AS g (id, tier, until)
    JOIN member m ON m.id = g.id AND m.state = 'active' AND m.program_id = {program}
    JOIN tier t ON t.key = g.tier AND t.program_id = {program} LEFT JOIN tier b ON b.id = m.tier_id
    WHERE coalesce(b.rank, 0) <= t.rank
), changed AS (
    UPDATE member m SET tier_id = g.tier_id, tier_falls_at = NULL,
        tier_since = CASE WHEN m.tier_id IS DISTINCT FROM g.tier_id THEN {now}::timestamptz ELSE m.tier_since END,
        tier_fixed_until = greatest(m.tier_fixed_until, g.until)
    FROM given g WHERE m.id = g.id RETURNING m.id
), told AS (SELECT g.* FROM given g JOIN changed c ON c.id = g.id WHERE coalesce(g.rank_before, 0) < g.rank
), {facts} SELECT count(*) FROM changed"""


def bestow(tiers: Mapping[int, tuple[str, datetime]], *, setup: Setup, now: datetime) -> int:
    """Give members a tier until an instant, whatever they have earned; who has a higher one keeps that. How many."""
    if not tiers:
        return 0
    partitions.ensure(now, now)
    membership.lock(list(tiers))
    told = facts.ctes(
        "fact",
        "tier.changed",
        sql(
            "SELECT customer_id, {now}::timestamptz, tier_id::bigint, jsonb_build_object('program', {program}::text,"
            " 'from', before, 'to', after, 'direction', 'up') FROM told WHERE customer_id IS NOT NULL",
            now=now,
            program=setup.key,
        ),
        ask=False,
    )
    query = sql(
        _BESTOW,
        ids=list(tiers),
        tiers=[tier for tier, _ in tiers.values()],
        until=[until for _, until in tiers.values()],
        program=setup.id,
        now=now,
        facts=told,
    )
    return fetch(query)[0][0]


def end(member_ids: Sequence[int], *, setup: Setup, now: datetime) -> int:
    """Let these members have the tier that they earned themselves, at once; how many fell."""
    if not member_ids:
        return 0
    partitions.ensure(now, now)
    membership.lock(member_ids)
    execute(
        sql(
            "UPDATE member SET tier_fixed_until = NULL, tier_falls_at = {now} WHERE id = ANY({ids}::bigint[])"
            " AND tier_id IS NOT NULL",
            now=now,
            ids=list(member_ids),
        )
    )
    return tiering.retier(setup, now=now, member_ids=member_ids).fallen
