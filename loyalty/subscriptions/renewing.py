"""What the calendar brings: fees of new periods, reminders before them, payments that are missing.

One statement for all that is due, whatever their number; run again it finds nothing left to do.
"""

from datetime import datetime

from loyalty.events import facts, partitions
from loyalty.kit.sql import Sql, fetch, sql
from loyalty.subscriptions import holding, queries

_RENEWABLE = """s.state IN ('trial', 'active', 'past_due', 'cancelled') AND s.term_ends_at <= {now}
    AND (s.ends_at IS NULL OR s.ends_at > s.term_ends_at) AND s.customer_id IS NOT NULL AND NOT {suspended}"""


# The calendar is that of the plan's zone; month ends stay inside their month, counted from the anchor.
def _end_of(periods: str) -> Sql:
    months = f"make_interval(months => s.anchor_months + ({periods})::int * s.months)"
    return Sql(f"((s.anchor_at AT TIME ZONE s.zone) + {months}) AT TIME ZONE s.zone")


NEXT_END = _end_of("1")
# Periods that are over as a whole are left out: nobody pays for a time in which nothing was asked for or given.
_RENEW = """WITH next AS MATERIALIZED (
    SELECT s.id, p.starts, p.ends, p.months, s.ends_at AS last,
        p.starts > s.term_ends_at OR ((s.state = 'trial' OR s.months = 12) AND s.ends_at IS NULL
            AND s.reminded_for IS DISTINCT FROM s.term_ends_at) AS untold, s.state = 'trial' AS trial
    FROM subscription s CROSS JOIN LATERAL (
        SELECT CASE n WHEN 0 THEN s.term_ends_at ELSE {start} END AS starts, {end} AS ends, (n + 1) * s.months AS months
        FROM generate_series(0, (extract(epoch FROM {now}::timestamptz - s.term_ends_at) / 2419200)::int / s.months) n
        WHERE {end} > {now} ORDER BY n LIMIT 1
    ) p WHERE s.id = ANY({ids}::bigint[]) AND {renewable}
), renewed AS (
    UPDATE subscription s SET anchor_months = s.anchor_months + n.months, term_ends_at = n.ends,
        state = CASE WHEN s.state = 'trial' THEN 'active' ELSE s.state END,
        state_since = CASE WHEN s.state = 'trial' THEN {now} ELSE s.state_since END
    FROM next n WHERE s.id = n.id RETURNING s.*
), charged AS (
    INSERT INTO subscription_charge (subscription_id, kind, number, period_start, period_end, amount, currency, due_at,
        state, benefit_at)
    SELECT n.id, 'fee', 1 + coalesce((SELECT max(c.number) FROM subscription_charge c
            WHERE c.subscription_id = n.id AND c.kind = 'fee'), 0),
        n.starts, n.ends, greatest(0.01, round(r.fee * (extract(epoch FROM least(n.ends, n.last) - n.starts)
            / extract(epoch FROM n.ends - n.starts))::numeric, 2)), r.currency, {now}, 'due', n.starts
    FROM next n JOIN renewed r ON r.id = n.id
), written AS (
    INSERT INTO subscription_notice (kind, customer_id, subscription_id, facts, created_at)
    SELECT 'reminder', r.customer_id, r.id, jsonb_build_object('trial', n.trial, 'at', n.starts), {now}
    FROM next n JOIN renewed r ON r.id = n.id WHERE n.untold ORDER BY r.id
), {facts} SELECT count(*) FROM renewed"""


def renew(*, now: datetime) -> int:
    """Begin the next period of all contracts whose period is over: its fee is due now. How many.

    After a standstill it is the period that runs now, and who was not reminded in time is written to with the fee.
    """
    renewable = sql(_RENEWABLE, now=now, suspended=queries.suspended(now))
    ids = holding.hold(holding.due(renewable))
    if not ids:
        return 0
    partitions.ensure(now, now)
    told = facts.ctes("fact", "subscription.renewed", holding.told(Sql("renewed"), now), ask=False)
    period = {"start": _end_of("n"), "end": _end_of("n + 1")}
    return fetch(sql(_RENEW, **period, ids=ids, renewable=renewable, now=now, facts=told))[0][0]


_REMIND = """WITH told AS (
    UPDATE subscription s SET reminded_for = s.term_ends_at WHERE s.id = ANY({ids}::bigint[]) AND {due} RETURNING s.*
), written AS (
    INSERT INTO subscription_notice (kind, customer_id, subscription_id, facts, created_at)
    SELECT 'reminder', customer_id, id, jsonb_build_object('trial', state = 'trial', 'at', term_ends_at), {now}
    FROM told ORDER BY id
) SELECT count(*) FROM told"""
# Of a trial at most its second half; a fee of a month is told of only where it ends the first term.
_TO_REMIND = """s.state IN ('trial', 'active') AND s.ends_at IS NULL AND s.customer_id IS NOT NULL
    AND s.term_ends_at > {now} AND s.reminded_for IS DISTINCT FROM s.term_ends_at
    AND (s.state = 'trial' OR s.months = 12
        OR (s.term_ends_at >= s.first_term_ends_at AND s.first_term_ends_at > s.anchor_at
            AND s.first_term_ends_at > {now}))
    AND s.term_ends_at - least(make_interval(secs => (s.terms -> 'seconds' ->> 'remind')::float8),
        CASE WHEN s.state = 'trial' THEN (s.term_ends_at - s.ordered_at) / 2 END) <= {now}"""


def remind(*, now: datetime) -> int:
    """Write to those whose trial ends soon, or whose contract goes on for another year. How many."""
    due = sql(_TO_REMIND, now=now)
    ids = holding.hold(holding.due(due))
    return fetch(sql(_REMIND, ids=ids, due=due, now=now))[0][0] if ids else 0


_MISSING = """s.past_due_since IS NULL AND s.state IN ('ordered', 'active', 'cancelled') AND s.customer_id IS NOT NULL
    AND EXISTS (SELECT FROM subscription_charge c WHERE c.subscription_id = s.id AND c.kind = 'fee'
        AND c.state IN ('due', 'failed')
        AND c.due_at + make_interval(secs => (s.terms -> 'seconds' ->> 'grace')::float8) <= {now})"""
_OVERDUE = """WITH late AS (
    UPDATE subscription s SET past_due_since = {now},
        state = CASE WHEN s.state = 'active' THEN 'past_due' ELSE s.state END,
        state_since = CASE WHEN s.state = 'active' THEN {now} ELSE s.state_since END
    WHERE s.id = ANY({ids}::bigint[]) AND {missing} RETURNING s.*
), written AS (
    INSERT INTO subscription_notice (kind, customer_id, subscription_id, facts, created_at)
    SELECT 'payment', customer_id, id, '{{"missing": true}}', {now} FROM late ORDER BY id
), {facts} SELECT count(*) FROM late"""


def notice_missing(*, now: datetime) -> int:
    """Write to those of whom no payment came within the grace; how many."""
    missing = sql(_MISSING, now=now)
    ids = holding.hold(holding.due(missing))
    if not ids:
        return 0
    partitions.ensure(now, now)
    told = facts.ctes("fact", "subscription.payment_failed", holding.told(Sql("late"), now), ask=False)
    return fetch(sql(_OVERDUE, ids=ids, missing=missing, now=now, facts=told))[0][0]
