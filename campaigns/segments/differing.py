"""What another rule would change in a segment, before it is saved: who joins, who leaves, what begins because of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

from campaigns.segments import compile as compiler
from campaigns.segments import dependencies, estimates, judging, sampling, tree, usage
from campaigns.segments.estimates import Estimate
from campaigns.segments.models import Segment
from campaigns.segments.stored import references, stored_segments
from campaigns.segments.usage import Use
from loyalty.events import types
from loyalty.kit.problems import Problems
from loyalty.kit.sql import Sql, fetch, sql

# Over this time events are counted, to say how often members would be looked at again.
RECENT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cost:
    """What keeping the segment would take: `build_ms` one look at everybody (measured, or reckoned from the sample),
    `events_a_day` how many events of the kinds it reads came in the last day, `scans` whether the clock alone changes
    answers, so that everybody is looked at every hour.
    """

    build_ms: int
    events_a_day: int
    scans: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """Who would join and leave; exact unless everybody takes too long to ask. `begins`: what of the uses runs now and
    begins for those who join or leave, `outer`: the segments that would look anew.
    """

    before: int
    after: Estimate
    joins: Estimate
    leaves: Estimate
    exact: bool
    joining: list[dict[str, Any]]
    leaving: list[dict[str, Any]]
    begins: list[Use]
    outer: list[str]
    cost: Cost


def difference(rule: tree.Rule, segment_id: int | None, *, now: datetime, sample: int) -> Difference:
    """What saving this rule would change in the stored members of the segment (None: in nobody's)."""
    before = _size(segment_id)
    try:
        with judging.bounded():
            after, joins, leaves, joining, leaving, seconds = _whole(rule, segment_id, now, sample)
    except Problems:
        with judging.bounded():
            after, joins, leaves, joining, leaving, seconds = _some(rule, segment_id, now, sample)
    with judging.bounded():
        people = {person["id"]: person for person in sampling.people([*joining, *leaving])}
        cost = Cost(round(seconds * 1000), _events_a_day(rule, now), tree.reads(rule).clock)
    stored = stored_segments()
    key = Segment.objects.filter(id=segment_id).values_list("key", flat=True).first() if segment_id else None
    moves = {"joined": joins.high > 0, "left": leaves.high > 0}
    begins = [use for use in usage.all_uses(stored) if use.segment == key and use.active and moves.get(use.how)]
    outer = sorted(dependencies.users_of(references(stored), [key])) if key else []
    return Difference(
        before=before,
        after=after,
        joins=joins,
        leaves=leaves,
        exact=joins.exact and leaves.exact,
        joining=[people[one] for one in joining if one in people],
        leaving=[people[one] for one in leaving if one in people],
        begins=begins,
        outer=outer,
        cost=cost,
    )


_Found = tuple[Estimate, Estimate, Estimate, Sequence[int], Sequence[int], float]


def _whole(rule: tree.Rule, segment_id: int | None, now: datetime, sample: int) -> _Found:
    query = sql(
        """WITH both_sides AS MATERIALIZED (
            SELECT w.id AS wanted, m.customer_id AS stored
            FROM (SELECT c.id FROM customer c WHERE {condition}) w
            FULL JOIN (SELECT customer_id FROM segment_member WHERE segment_id = {segment}::int) m
                ON m.customer_id = w.id
        ) SELECT count(wanted), count(*) FILTER (WHERE stored IS NULL), count(*) FILTER (WHERE wanted IS NULL),
            (SELECT array_agg(wanted) FROM
                (SELECT wanted FROM both_sides WHERE stored IS NULL ORDER BY wanted LIMIT {sample}) x),
            (SELECT array_agg(stored) FROM
                (SELECT stored FROM both_sides WHERE wanted IS NULL ORDER BY stored LIMIT {sample}) x)
        FROM both_sides""",
        condition=compiler.condition(rule, now=now),
        segment=segment_id,
        sample=sample,
    )
    began = perf_counter()
    after, joins, leaves, joining, leaving = fetch(query)[0]
    seconds = perf_counter() - began
    known = estimates.known
    return known(after), known(joins), known(leaves), joining or [], leaving or [], seconds


def _some(rule: tree.Rule, segment_id: int | None, now: datetime, sample: int) -> _Found:
    """The same from some customers."""
    draw = sampling.Draw(sampling.base())
    context = compiler.context([rule], now=now, scope=Sql("SELECT p.id FROM picked p"))
    query = sql(
        """WITH picked AS MATERIALIZED ({people}), judged AS MATERIALIZED (
            SELECT c.id, ({condition}) IS TRUE AS wanted, EXISTS (
                SELECT FROM segment_member m WHERE m.segment_id = {segment}::int AND m.customer_id = c.id) AS stored
            FROM customer c WHERE c.id IN (SELECT p.id FROM picked p)
        ) SELECT count(*), count(*) FILTER (WHERE wanted), count(*) FILTER (WHERE wanted AND NOT stored),
            count(*) FILTER (WHERE stored AND NOT wanted),
            (array_agg(id) FILTER (WHERE wanted AND NOT stored))[1:{sample}],
            (array_agg(id) FILTER (WHERE stored AND NOT wanted))[1:{sample}]
        FROM judged""",
        people=draw.people(sampling.FIRST),
        condition=compiler.compiled(rule, context),
        segment=segment_id,
        sample=sample,
    )
    began = perf_counter()
    looked_at, *hits, joining, leaving = fetch(query)[0]
    total = draw.base.total
    seconds = (perf_counter() - began) * total / max(looked_at, 1)
    after, joins, leaves = (estimates.estimate(one, looked_at, total) for one in hits)
    return after, joins, leaves, joining or [], leaving or [], seconds


def _size(segment_id: int | None) -> int:
    query = sql("SELECT count(*) FROM segment_member WHERE segment_id = {id}::int", id=segment_id)
    return int(fetch(query)[0][0])


def _events_a_day(rule: tree.Rule, now: datetime) -> int:
    ids = sorted(types.known(tree.event_names(rule)).values())
    if not ids:
        return 0
    query = sql(
        "SELECT count(*) FROM event e WHERE e.type_id = ANY({ids}::int[])"
        " AND e.occurred_at > {after}::timestamptz AND e.occurred_at <= {now}::timestamptz",
        ids=ids,
        after=now - RECENT,
        now=now,
    )
    return int(fetch(query)[0][0])
