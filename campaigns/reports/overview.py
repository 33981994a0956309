"""The figures of the dashboard: a fixed number of queries, each bounded or estimated, so that it opens at once however
much has been sent."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from campaigns.delivery import queries as delivery
from campaigns.delivery.models import Dispatch
from campaigns.flows.counts import ENTERED
from campaigns.flows.models import Flow
from campaigns.reports.kept import kept
from loyalty.kit.sql import Sql, fetch, sql

# Up to here tables are counted exactly (20 ms); beyond it the planner's estimate is told, and samples are drawn.
EXACT = 200_000
SAMPLE = 20_000
# Queues are counted up to here.
COUNTED = 100_000
FLOWS = 8
LATE = timedelta(minutes=10)
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class People:
    """`about` says that these are estimates."""

    customers: int
    reachable: int
    about: bool


@dataclass(frozen=True, slots=True)
class Outbox:
    """`waiting` and `in_doubt` end at COUNTED."""

    waiting: int
    in_doubt: int


def people() -> People:
    """Customers, and those with an email address, consent to marketing and no suppression. Two queries."""
    counted = sql(
        """SELECT greatest(reltuples, 0)::bigint,
            CASE WHEN reltuples <= {exact} THEN (SELECT count(*) FROM customer) END
        FROM pg_class WHERE oid = 'customer'::regclass""",
        exact=EXACT,
    )
    estimate, exact = fetch(counted)[0]
    about = exact is None
    percent = min(100.0, 100.0 * SAMPLE / max(estimate, 1))
    source = sql("customer c TABLESAMPLE SYSTEM ({percent})", percent=percent) if about else Sql("customer c")
    reachable, looked_at = fetch(
        sql(
            """SELECT count(*) FILTER (WHERE c.email <> '' AND s.status = 'granted' AND NOT EXISTS (
                    SELECT FROM suppression p WHERE p.channel = 'email' AND p.digest = c.email_digest
                        AND p.purpose IN ('', 'marketing'))), count(*)
            FROM {source} LEFT JOIN consent_state s
                ON s.customer_id = c.id AND s.channel = 'email' AND s.purpose = 'marketing'""",
            source=source,
        )
    )[0]
    if not about:
        return People(exact, reachable, about=False)
    return People(estimate, round(estimate * reachable / max(looked_at, 1)), about=True)


def outbox() -> Outbox:
    """What waits to be sent and what needs a decision. One query."""
    row = fetch(
        sql(
            """SELECT (SELECT count(*) FROM (SELECT FROM message WHERE state = 0 LIMIT {most}) p)
                + (SELECT count(*) FROM (SELECT FROM message WHERE state IN (1, 2) LIMIT {most}) q),
                (SELECT count(*) FROM (SELECT FROM message WHERE state = 5 LIMIT {most}) d)""",
            most=COUNTED,
        )
    )[0]
    return Outbox(*row)


def held_up(*, now: datetime) -> list[dict[str, Any]]:
    """Dispatches with messages due for longer than LATE, oldest first: flow, step, sender, who holds them. One
    query, one probe of an index per dispatch."""
    rows = fetch(
        sql(
            """SELECT d.flow_key, d.step, s.id, s.key, s.state, d.state, m.due_at
            FROM dispatch d JOIN sender s ON s.id = d.sender_id CROSS JOIN LATERAL (
                SELECT due_at FROM message WHERE dispatch_id = d.id AND state = 0 ORDER BY due_at LIMIT 1) m
            WHERE d.state = 'running' AND m.due_at < {late} ORDER BY m.due_at LIMIT 5""",
            late=now - LATE,
        )
    )
    names = ("flow", "step", "sender_id", "sender", "sender_state", "state", "due_at")
    return [dict(zip(names, row, strict=True)) for row in rows]


def running_flows(*, now: datetime) -> list[dict[str, Any]]:
    """Flows that run or are paused, with people who entered, messages sent and skipped, and last-touch conversions of
    the past week. Five queries."""
    chosen = Flow.objects.filter(state__in=[Flow.State.RUNNING, Flow.State.PAUSED]).select_related("current_version")
    flows = list(chosen.order_by("-updated_at")[:FLOWS])
    ids = [flow.pk for flow in flows]
    # The past week in whole hours, so that what is kept can be found again.
    since = now.replace(minute=0, second=0, microsecond=0) - WEEK
    figures = kept("flows", lambda: _figures(ids, since), ids, since)
    return [{"flow": flow, "as_of": figures.at, **figures.value[flow.pk]} for flow in flows]


def _figures(ids: list[int], since: datetime) -> dict[int, dict[str, float]]:
    """The figures of these flows, by flow."""
    entered = dict(
        fetch(
            sql(
                """SELECT v.flow_id, sum(c.n)::bigint FROM flow_count c JOIN flow_version v ON v.id = c.version_id
                WHERE v.flow_id = ANY({ids}) AND c.node = 0 AND c.exit = {name} GROUP BY 1""",
                ids=ids,
                name=ENTERED,
            )
        )
    )
    found = Dispatch.objects.filter(flow_id__in=ids).values_list("id", "flow_id")
    owner = {dispatch_id: flow_id or 0 for dispatch_id, flow_id in found}
    sent, waiting = dict.fromkeys(ids, 0), dict.fromkeys(ids, 0)
    for dispatch_id, counts in delivery.counts(list(owner)).items():
        sent[owner[dispatch_id]] += counts["sent"]
        waiting[owner[dispatch_id]] += counts["pending"]
    converted = dict.fromkeys(ids, 0.0)
    for dispatch_id, conversions in _converted(list(owner), since):
        converted[owner[dispatch_id]] += conversions
    return {
        flow_id: {
            "entered": entered.get(flow_id, 0),
            "sent": sent[flow_id],
            "waiting": waiting[flow_id],
            "converted": converted[flow_id],
        }
        for flow_id in ids
    }


def _converted(dispatch_ids: list[int], since: datetime) -> list[tuple[int, float]]:
    """Last-touch conversions since then, by dispatch."""
    return [
        (dispatch_id, conversions)
        for dispatch_id, conversions in fetch(
            sql(
                """SELECT k.dispatch_id, sum(k.share)::float8 FROM conversion c
                JOIN credit k ON k.conversion_id = c.id AND k.model = 'last_touch'
                WHERE c.goal_id IN (SELECT id FROM goal) AND c.occurred_at >= {since}
                    AND k.dispatch_id = ANY({ids}) GROUP BY 1""",
                since=since,
                ids=dispatch_ids,
            )
        )
    ]
