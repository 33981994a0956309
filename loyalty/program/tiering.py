"""Tiers: who has which, from what members earned, spent or how often they came, in one statement for any number.

Rising takes effect at once. Falling waits for the grace to pass, and goes all the way or one step at a time; never
below what the value carries, and not before the end of a tier that was given by hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from loyalty.events import facts, partitions
from loyalty.kit.periods import Period
from loyalty.kit.sql import Sql, array, execute, fetch, sql
from loyalty.program import membership, names
from loyalty.program.setup import Setup

# Members moved in one transaction: their locks are held for less than a second.
CHUNK = 20_000

_JUDGED = """value AS ({value}), judged AS (
    SELECT m.id, m.customer_id, m.tier_id, m.tier_falls_at, {rank} AS rank, {earned} AS earned_rank,
        m.tier_fixed_until > {now}::timestamptz AS fixed,
        coalesce(m.tier_falls_at, {now}::timestamptz + make_interval(secs => {grace})) AS falls_at
    FROM member m LEFT JOIN value v ON v.member_id = m.id
    WHERE m.program_id = {program} AND m.state = 'active' AND m.customer_id IS NOT NULL{scope}
), decided AS (
    SELECT id, customer_id, tier_id, tier_falls_at, rank, CASE
        WHEN earned_rank >= rank THEN earned_rank
        WHEN {never} OR fixed OR falls_at > {now}::timestamptz THEN rank
        ELSE {fallen} END AS new_rank,
        CASE WHEN earned_rank < rank AND NOT {never} AND fixed IS NOT TRUE THEN falls_at END AS falls_at
    FROM judged
), moving AS (
    SELECT d.id, d.customer_id, d.tier_id, d.rank, d.new_rank,
        CASE WHEN d.new_rank = d.rank THEN d.falls_at END AS falls_at
    FROM decided d
    WHERE d.new_rank <> d.rank OR d.falls_at IS DISTINCT FROM d.tier_falls_at
)"""
_RETIER = """WITH {judged}, changed AS (
    UPDATE member m SET tier_id = {tier}, tier_falls_at = v.falls_at,
        tier_since = CASE WHEN v.new_rank <> v.rank THEN {now}::timestamptz ELSE m.tier_since END,
        tier_fixed_until = CASE WHEN v.new_rank <> v.rank THEN NULL ELSE m.tier_fixed_until END
    FROM moving v WHERE m.id = v.id
    RETURNING m.customer_id, v.rank, v.new_rank
), told AS (SELECT * FROM changed WHERE rank <> new_rank), {facts}
SELECT count(*) FILTER (WHERE new_rank > rank), count(*) FILTER (WHERE new_rank < rank) FROM told"""


@dataclass(frozen=True, slots=True)
class Retiered:
    """How many rose and how many fell."""

    risen: int = 0
    fallen: int = 0


def retier(setup: Setup, *, now: datetime, member_ids: Sequence[int]) -> Retiered:
    """Give these members, whom the caller has locked, the tier they have earned."""
    if not setup.tiers:
        return Retiered()
    told = facts.ctes(
        "fact",
        "tier.changed",
        sql(
            "SELECT customer_id, {now}::timestamptz, {tier_id}, jsonb_build_object('program', {program}::text, 'from',"
            " {before}, 'to', {after}, 'direction', CASE WHEN new_rank > rank THEN 'up' ELSE 'down' END) FROM told",
            now=now,
            tier_id=_by_rank(setup, "new_rank", "id"),
            program=setup.key,
            before=_by_rank(setup, "rank", "key"),
            after=_by_rank(setup, "new_rank", "key"),
        ),
        ask=False,
    )
    rows = fetch(
        sql(
            _RETIER,
            judged=_judged(setup, now=now, member_ids=member_ids),
            tier=_by_rank(setup, "v.new_rank", "id"),
            now=now,
            facts=told,
        )
    )
    return Retiered(*rows[0])


def retier_all(setup: Setup, *, now: datetime) -> Retiered:
    """Look at every member of the program, and move those who rise or fall, in bounded transactions."""
    if not setup.tiers:
        return Retiered()
    partitions.ensure(now, now)
    movers = [row[0] for row in fetch(sql("WITH {j} SELECT id FROM moving ORDER BY id", j=_judged(setup, now=now)))]
    risen = fallen = 0
    for start in range(0, len(movers), CHUNK):
        ids = movers[start : start + CHUNK]
        with transaction.atomic():
            membership.lock(ids)
            done = retier(setup, now=now, member_ids=ids)
        risen, fallen = risen + done.risen, fallen + done.fallen
    return Retiered(risen, fallen)


def preview(setup: Setup, *, now: datetime) -> list[tuple[str | None, str | None, int]]:
    """(tier now, tier then, members) if everybody were looked at now; those who only begin to fall are not moved."""
    rows = fetch(
        sql(
            "WITH {judged} SELECT {before}, {after}, count(*) FROM decided GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2",
            judged=_judged(setup, now=now),
            before=_by_rank(setup, "rank", "key"),
            after=_by_rank(setup, "new_rank", "key"),
        )
    )
    return [(before, after, count) for before, after, count in rows]


def values(setup: Setup, member_ids: Sequence[int], *, now: datetime) -> dict[int, Decimal]:
    """What these members are measured by; nothing for those with none."""
    return dict(fetch(_value(setup, now=now, member_ids=member_ids)))


def fix(member_id: int, *, tier_id: int | None, until: datetime | None, setup: Setup, now: datetime) -> None:
    """Give a locked member a tier by hand, kept until that instant whatever the value."""
    told = sql(
        "SELECT m.customer_id, {now}::timestamptz, {tier}::bigint, jsonb_build_object('program', {program}::text,"
        " 'from', b.key, 'to', a.key, 'direction', CASE WHEN coalesce(a.rank, 0) > coalesce(b.rank, 0) THEN 'up'"
        " ELSE 'down' END) FROM member m LEFT JOIN tier b ON b.id = m.tier_id LEFT JOIN tier a ON a.id = {tier}"
        " WHERE m.id = {member} AND m.tier_id IS DISTINCT FROM {tier}::int",
        now=now,
        tier=tier_id,
        program=setup.key,
        member=member_id,
    )
    facts.write("tier.changed", told)
    execute(
        sql(
            "UPDATE member SET tier_since = CASE WHEN tier_id IS DISTINCT FROM {tier}::int THEN {now} ELSE tier_since"
            " END, tier_id = {tier}::int, tier_falls_at = NULL, tier_fixed_until = {until}::timestamptz"
            " WHERE id = {member}",
            tier=tier_id,
            now=now,
            until=until,
            member=member_id,
        )
    )


def _judged(setup: Setup, *, now: datetime, member_ids: Sequence[int] | None = None) -> Sql:
    scope = Sql("") if member_ids is None else sql(" AND m.id = ANY({ids}::bigint[])", ids=array(member_ids))
    rules = setup.document.tiers
    return sql(
        _JUDGED,
        value=_value(setup, now=now, member_ids=member_ids),
        rank=_cases([sql("WHEN m.tier_id = {id} THEN {r}", id=t.id, r=t.rank) for t in setup.tiers], "0"),
        earned=_cases(
            [
                sql("WHEN coalesce(v.value, 0) >= {threshold}::numeric THEN {rank}", threshold=t.threshold, rank=t.rank)
                for t in reversed(setup.tiers)
            ],
            "0",
        ),
        now=now,
        grace=rules.grace_seconds,
        program=setup.id,
        scope=scope,
        never=Sql("TRUE" if rules.fall == "never" else "FALSE"),
        fallen=_step(setup) if rules.fall == "step" else Sql("earned_rank"),
    )


def _step(setup: Setup) -> Sql:
    """The rank below the present one; above the lowest that is at least the earned one."""
    ranks = [tier.rank for tier in setup.tiers]
    lower = [sql("WHEN rank = {r} THEN {below}", r=r, below=b) for b, r in zip([0, *ranks], ranks, strict=False)]
    return sql("greatest(earned_rank, {lower})", lower=_cases(lower, "0"))


def _by_rank(setup: Setup, rank: str, column: str) -> Sql:
    kind = Sql("text" if column == "key" else "int")
    cases = [
        sql(
            "WHEN {name} = {rank} THEN {value}::{kind}",
            name=Sql(rank),
            rank=t.rank,
            value=getattr(t, column),
            kind=kind,
        )
        for t in setup.tiers
    ]
    return _cases(cases, f"NULL::{kind.text}")


def _cases(cases: list[Sql], otherwise: str) -> Sql:
    if not cases:
        return Sql(otherwise)
    return sql("(CASE {cases} ELSE {otherwise} END)", cases=Sql(" ").join(cases), otherwise=Sql(otherwise))


def _value(setup: Setup, *, now: datetime, member_ids: Sequence[int] | None) -> Sql:
    """Selects member_id, value."""
    rules = setup.document.tiers
    scope = Sql("") if member_ids is None else sql(" AND s.member_id = ANY({ids}::bigint[])", ids=array(member_ids))
    if rules.by == "points":
        wallet_id, _ = setup.wallet(rules.wallet)
        source = sql(
            "SELECT s.member_id, s.earned_at AS at, s.amount - s.reversed - s.pending AS n FROM lot s"
            " WHERE s.wallet_id = {wallet} AND s.rule_id IS NOT NULL{scope}",
            wallet=wallet_id,
            scope=scope,
        )
    else:
        # A return counts where its purchase did.
        amount = {"spend": "s.amount", "margin": "coalesce(s.margin, 0)", "visits": "1"}[rules.by]
        back = "s.kind = 'void'" if rules.by == "visits" else "s.kind IN ('return', 'void')"
        source = sql(
            "SELECT s.member_id, coalesce(o.occurred_at, s.occurred_at) AS at,"
            " CASE WHEN s.original_id IS NULL THEN {amount} ELSE -{amount} END AS n"
            " FROM booking s LEFT JOIN booking o ON o.id = s.original_id"
            " WHERE (s.kind = {purchase} OR {back}) AND s.program_id = {program} AND s.member_id IS NOT NULL{scope}",
            amount=Sql(amount),
            back=Sql(back),
            purchase=names.PURCHASE,
            program=setup.id,
            scope=scope,
        )
    if rules.window == "year":
        this = sql(
            "(date_trunc('year', {now}::timestamptz AT TIME ZONE {zone}) AT TIME ZONE {zone})", now=now, zone=setup.zone
        )
        last = sql(
            "((date_trunc('year', {now}::timestamptz AT TIME ZONE {zone}) - interval '1 year') AT TIME ZONE {zone})",
            now=now,
            zone=setup.zone,
        )
        return sql(
            "SELECT member_id, greatest(coalesce(sum(n) FILTER (WHERE at >= {this}), 0),"
            " coalesce(sum(n) FILTER (WHERE at < {this}), 0))::numeric AS value FROM ({source}) s"
            " WHERE at >= {last} AND at <= {now} GROUP BY member_id",
            this=this,
            last=last,
            now=now,
            source=source,
        )
    since = Sql("")
    if rules.window != "ever":
        since = sql(" AND at > {since}", since=Period.parse(rules.window).subtract_from(now, setup.zone))
    return sql(
        "SELECT member_id, sum(n)::numeric AS value FROM ({source}) s WHERE at <= {now}{since} GROUP BY member_id",
        source=source,
        now=now,
        since=since,
    )
