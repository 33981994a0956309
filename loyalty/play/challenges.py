"""Challenges are judged: for everybody of a batch at once, anew from the timeline, so that order and doubles of events
do not matter.

Attempts that are there are counted; who reached the target has done it at the instant of the event that reached it; who
has none begins one with the first event that counts, and is counted again.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from loyalty.events import facts, partitions, types
from loyalty.kit.sql import Sql, execute, fetch, sql
from loyalty.play import awards, measures, names, people, rotation, starting
from loyalty.play.days import between, zone_of
from loyalty.play.definition import ChallengeDocument
from loyalty.play.models import Challenge

# A batch can finish one attempt after the other; more than so many at once is a mistake in the challenge.
ROUNDS = 200
BATCH = 5_000

# The newest attempt of each; one that has lapsed is counted too, for an event may have come late. One probe by customer
# per month: OFFSET 0 leaves the planner only the customer to search by.
_EVENTS = """run AS MATERIALIZED (
    SELECT r.id, r.customer_id, r.started_at, r.after_event, r.ends_at, r.target, r.best
    FROM (
        SELECT DISTINCT ON (customer_id) id FROM challenge_run
        WHERE challenge_id = {challenge} AND customer_id = ANY({customers}::bigint[])
        ORDER BY customer_id, number DESC
    ) newest JOIN challenge_run r ON r.id = newest.id WHERE r.state IN ('open', 'lapsed')
), seen AS (
    SELECT run.id AS run_id, run.target, v.id, v.occurred_at, v.properties, v.period
    FROM run CROSS JOIN LATERAL (
        SELECT v.id, v.type_id, v.occurred_at, v.properties, {period} AS period FROM event v
        WHERE v.customer_id = run.customer_id AND v.occurred_at >= run.started_at AND v.occurred_at <= {until} OFFSET 0
    ) v WHERE v.type_id = {type} AND (v.occurred_at, v.id) > (run.started_at, run.after_event)
        AND (run.ends_at IS NULL OR v.occurred_at < run.ends_at) AND {fits}
), valued AS (
    SELECT run_id, target, id, occurred_at, period, {value} AS value FROM seen v
)"""
_REACHED = """, running AS (
    SELECT *, sum(value) OVER (PARTITION BY run_id ORDER BY occurred_at, id) AS total FROM valued
), judged AS (
    SELECT run_id, max(total) AS progress, max(total) AS best, NULL::timestamptz AS period_at,
        min(occurred_at) FILTER (WHERE total >= target) AS reached_at,
        (array_agg(id ORDER BY occurred_at, id) FILTER (WHERE total >= target))[1] AS reached_by
    FROM running GROUP BY run_id
)"""
# Periods that reach the target of one; rows of them that follow each other have the same `number - rank`.
_STREAK = """, running AS (
    SELECT *, sum(value) OVER (PARTITION BY run_id, period ORDER BY occurred_at, id) AS total FROM valued
), kept AS (
    SELECT run_id, target, period, {number} - row_number() OVER (PARTITION BY run_id ORDER BY period) AS island,
        occurred_at, id
    FROM (
        SELECT DISTINCT ON (run_id, period) * FROM running WHERE total >= {each}::numeric
        ORDER BY run_id, period, occurred_at, id
    ) q
), counted AS (
    SELECT *, row_number() OVER (PARTITION BY run_id, island ORDER BY period) AS length FROM kept
), judged AS (
    SELECT run_id, (array_agg(length ORDER BY period DESC))[1]::numeric AS progress, max(length)::numeric AS best,
        max(period) AT TIME ZONE {zone} AS period_at,
        (array_agg(occurred_at ORDER BY period) FILTER (WHERE length >= target))[1] AS reached_at,
        (array_agg(id ORDER BY period) FILTER (WHERE length >= target))[1] AS reached_by
    FROM counted GROUP BY run_id
)"""
_JUDGE = """WITH {events}{judged}, changed AS (
    UPDATE challenge_run r SET progress = CASE WHEN j.reached_at IS NULL THEN j.progress ELSE r.target END,
        best = greatest(r.best, j.best), period_at = j.period_at, last_event = j.reached_by,
        state = CASE WHEN j.reached_at IS NULL THEN r.state ELSE 'done' END,
        closed_at = coalesce(j.reached_at, r.closed_at)
    FROM judged j WHERE r.id = j.run_id AND r.state IN ('open', 'lapsed') AND (j.reached_at IS NOT NULL
        OR (r.progress, r.best, r.period_at) IS DISTINCT FROM (j.progress, greatest(r.best, j.best), j.period_at))
    RETURNING r.id, r.customer_id, r.state, r.closed_at, r.target
), {fact} SELECT id, customer_id, closed_at FROM changed WHERE state = 'done' ORDER BY id"""
_FIRST = """SELECT p.customer_id, p.number, {started}, {after} FROM (
    SELECT p.customer_id, coalesce(last.number, 0) + 1 AS number, {free_from} AS free_from, {free_event} AS free_event
    FROM unnest({customers}::bigint[]) AS p (customer_id) LEFT JOIN LATERAL (
        SELECT * FROM challenge_run r WHERE r.customer_id = p.customer_id AND r.challenge_id = {challenge}
        ORDER BY r.number DESC LIMIT 1
    ) last ON TRUE
    WHERE last.state IS DISTINCT FROM 'open' AND {times} AND {audience}
) p CROSS JOIN LATERAL (
    SELECT v.occurred_at, v.id FROM (
        SELECT v.id, v.type_id, v.occurred_at, v.properties FROM event v
        WHERE v.customer_id = p.customer_id AND v.occurred_at >= p.free_from AND v.occurred_at <= {until} OFFSET 0
    ) v WHERE v.type_id = {type} AND (v.occurred_at, v.id) > (p.free_from, p.free_event) AND {fits} AND {during}
    ORDER BY v.occurred_at, v.id LIMIT 1
) v"""
_NUMBER = {
    "day": "(period::date - DATE '2000-01-03')",
    "week": "(period::date - DATE '2000-01-03') / 7",
    "month": "(extract(year FROM period) * 12 + extract(month FROM period))::int",
}


def advance(challenge: Challenge, customer_ids: Collection[int], *, now: datetime, until: datetime) -> int:
    """Judge the challenge for these people, whose rows are locked; how often it was done. `until` is the newest instant
    that anything can have happened."""
    waiting = sorted(customer_ids)
    done = 0
    for _ in range(ROUNDS):
        done += judge(challenge, waiting, now=now, until=until)
        lapse(now=now, until=until, challenge_id=challenge.pk, customer_ids=waiting)
        waiting = _begin(challenge, waiting, now=now, until=until)
        if not waiting:
            break
    return done


def judge(challenge: Challenge, customer_ids: list[int], *, now: datetime, until: datetime) -> int:
    """Count the newest attempt of each of these people anew; how many reached the target."""
    document = starting.document_of(challenge)
    zone = zone_of(challenge.program_id)
    fact = facts.ctes(
        "fact",
        "challenge.completed",
        sql(
            "SELECT customer_id, closed_at, id, jsonb_build_object('challenge', {key}::text, 'target', target)"
            " FROM changed WHERE state = 'done'",
            key=challenge.key,
        ),
        ask=False,
    )
    wins = [
        awards.Win(run_id, customer_id, closed_at)
        for run_id, customer_id, closed_at in fetch(
            sql(
                _JUDGE,
                events=_events(challenge, document, customer_ids, until, zone),
                judged=_judged(document, zone),
                fact=fact,
            )
        )
    ]
    origin = awards.Origin(names.CHALLENGE, challenge.pk, challenge.key, challenge.program_id)
    awards.write(origin, list(enumerate(document.prizes)), wins, now=now)
    return len(wins)


def _events(
    challenge: Challenge, document: ChallengeDocument, people_ids: list[int], until: datetime, zone: str
) -> Sql:
    streak = document.streak
    period = Sql("NULL::timestamp")
    if streak is not None:
        period = sql("date_trunc({unit}, v.occurred_at AT TIME ZONE {zone})", unit=streak.every, zone=zone)
    scope = Sql("v.run_id, v.period" if streak else "v.run_id")
    return sql(
        _EVENTS,
        challenge=challenge.pk,
        customers=people_ids,
        period=period,
        until=until,
        type=types.type_id(document.event),
        fits=measures.fits(document, "v"),
        value=measures.value(document.measure, "v", scope=scope, zone=zone),
    )


def _judged(document: ChallengeDocument, zone: str) -> Sql:
    if document.streak is None:
        return Sql(_REACHED)
    return sql(_STREAK, number=Sql(_NUMBER[document.streak.every]), each=document.target or 1, zone=zone)


def _begin(challenge: Challenge, customer_ids: list[int], *, now: datetime, until: datetime) -> list[int]:
    """Begin attempts with the first event that counts; the people who began one."""
    document = starting.document_of(challenge)
    if document.join == "explicit":
        return []
    zone = zone_of(challenge.program_id)
    first = _first(challenge, document, customer_ids, until, zone)
    begun = starting.begin_ctes("begun", challenge, first, now=now)
    return [row[0] for row in fetch(sql("WITH {begun} SELECT customer_id FROM begun ORDER BY 1", begun=begun))]


def _first(challenge: Challenge, document: ChallengeDocument, people_ids: list[int], until: datetime, zone: str) -> Sql:
    floor = sql("{at}::timestamptz", at=challenge.created_at)
    if document.start:
        floor = sql("({day}::date)::timestamp AT TIME ZONE {zone}", day=document.start, zone=zone)
    ended = Sql("last.closed_at")
    if document.calendar:
        ended = Sql("coalesce(last.ends_at, last.closed_at)")
    elif document.streak is not None:
        # A period that has brought a prize is not the first one of the next.
        ended = sql(
            "CASE last.state WHEN 'done' THEN (date_trunc({unit}, last.closed_at AT TIME ZONE {zone})"
            " + {length}::interval) AT TIME ZONE {zone} ELSE last.closed_at END",
            unit=document.streak.every,
            length=f"1 {document.streak.every}",
            zone=zone,
        )
    exact = not document.calendar and document.streak is None
    started, after = Sql("p.free_from"), Sql("p.free_event")
    if document.window_seconds:
        started, after = Sql("v.occurred_at"), Sql("v.id - 1")
    elif document.calendar:
        wall = sql("date_trunc({unit}, v.occurred_at AT TIME ZONE {zone})", unit=document.window, zone=zone)
        started, after = (
            sql("greatest({wall} AT TIME ZONE {zone}, {floor})", wall=wall, zone=zone, floor=floor),
            Sql("0::bigint"),
        )
    return sql(
        _FIRST,
        started=started,
        after=after,
        customers=people_ids,
        challenge=challenge.pk,
        free_from=sql("greatest({ended}, {floor})", ended=ended, floor=floor),
        free_event=Sql(
            "CASE last.state WHEN 'done' THEN coalesce(last.last_event, 0) ELSE 0 END" if exact else "0::bigint"
        ),
        times=_times(challenge, document),
        audience=people.may_take_part(Sql("p.customer_id"), challenge.program_id, document.audience),
        until=until,
        type=types.type_id(document.event),
        fits=measures.fits(document, "v"),
        during=sql(
            "{days} AND {turn}",
            days=between(document.start, document.end, Sql("v.occurred_at"), zone),
            turn=rotation.is_up_sql(document, rotation.turn_of(challenge), Sql("v.occurred_at"), zone),
        ),
    )


def _times(challenge: Challenge, document: ChallengeDocument) -> Sql:
    if document.most is None:
        return Sql("TRUE")
    return sql("{done} < {most}", done=starting.done_times(challenge.pk), most=document.most)


def lapse(
    *,
    now: datetime,
    until: datetime,
    challenge_id: int | None = None,
    customer_ids: list[int] | None = None,
    limit: int = BATCH,
) -> int:
    """Close the attempts whose time was up at `until`; how many. Safe to run at the same time.

    An event that comes late still counts for the newest one, which is done then after all.
    """
    partitions.ensure(now, now)
    chosen: list[Any] = [sql("state = 'open' AND ends_at <= {until}", until=until)]
    if challenge_id is not None:
        chosen.append(
            sql(
                "challenge_id = {id} AND customer_id = ANY({people}::bigint[])",
                id=challenge_id,
                people=customer_ids or [],
            )
        )
    fact = facts.ctes(
        "fact",
        "challenge.lapsed",
        sql(
            "SELECT g.customer_id, {now}::timestamptz, g.id, jsonb_build_object('challenge', c.key, 'progress',"
            " g.progress, 'target', g.target) FROM gone g JOIN challenge c ON c.id = g.challenge_id",
            now=now,
        ),
        ask=False,
    )
    return execute(
        sql(
            "WITH due AS MATERIALIZED (SELECT id FROM challenge_run WHERE {chosen} ORDER BY ends_at LIMIT {limit}"
            " FOR UPDATE SKIP LOCKED), gone AS (UPDATE challenge_run r SET state = 'lapsed', closed_at = r.ends_at"
            " FROM due WHERE r.id = due.id RETURNING r.id, r.challenge_id, r.customer_id, r.progress, r.target),"
            " {fact} SELECT id FROM gone",
            chosen=Sql(" AND ").join(chosen),
            limit=limit if challenge_id is None else len(customer_ids or []),
            fact=fact,
        )
    )
