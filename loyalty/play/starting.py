"""Attempts at a challenge begin: by joining, by a flow, or with the first event that counts."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from loyalty.events import facts, partitions, types
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, fetch, sql
from loyalty.play import measures, people, rotation
from loyalty.play.days import between, zone_of
from loyalty.play.definition import ChallengeDocument, Personal
from loyalty.play.models import Challenge

_UNIT = {"day": "1 day", "week": "1 week", "month": "1 month", "year": "1 year"}
_DAYS = {"day": 1, "week": 7, "month": 30.4375, "year": 365.25}

# The insert waits for whoever begins the same attempt at the same time, and then leaves it to them.
_BEGIN = """{name} AS (
    INSERT INTO challenge_run (
        challenge_id, customer_id, number, state, started_at, after_event, ends_at, target, usual, progress, best)
    SELECT {challenge}::int, b.customer_id, b.number, 'open', b.started_at, b.after_event,
        {ends}, {target}, round(u.usual, 2), 0, 0
    FROM ({rows}) AS b (customer_id, number, started_at, after_event)
    CROSS JOIN LATERAL (SELECT {usual} AS usual) u WHERE TRUE{alive} ORDER BY b.customer_id
    ON CONFLICT DO NOTHING RETURNING id, customer_id, started_at
)"""


def document_of(challenge: Challenge) -> ChallengeDocument:
    """The challenge's document."""
    return ChallengeDocument.model_validate(challenge.definition)


def begin_ctes(name: str, challenge: Challenge, rows: Sql, *, now: datetime) -> Sql:
    """CTEs that begin attempts and tell the timeline; the first, called `name`, returns id, customer_id, started_at.

    `rows` selects customer_id, number, started_at, after_event.
    """
    document = document_of(challenge)
    zone = zone_of(challenge.program_id)
    ends = _ends(document, zone)
    begun = sql(
        _BEGIN,
        name=Sql(name),
        challenge=challenge.pk,
        rows=rows,
        ends=ends,
        target=_target(document),
        usual=_usual(document, zone),
        alive=sql(" AND coalesce({ends} > b.started_at, TRUE)", ends=ends),
    )
    fact = facts.ctes(
        f"{name}_fact",
        "challenge.started",
        sql(
            "SELECT customer_id, {now}::timestamptz, id, jsonb_build_object('challenge', {key}::text) FROM {name}",
            now=now,
            key=challenge.key,
            name=Sql(name),
        ),
        ask=False,
    )
    return sql("{begun}, {fact}", begun=begun, fact=fact)


def _ends(document: ChallengeDocument, zone: str) -> Sql:
    limits = []
    if document.calendar:
        limits.append(
            sql(
                "(date_trunc({unit}, b.started_at AT TIME ZONE {zone}) + {length}::interval) AT TIME ZONE {zone}",
                unit=document.window,
                zone=zone,
                length=_UNIT[document.window],
            )
        )
    elif document.window_seconds:
        limits.append(sql("b.started_at + make_interval(secs => {s})", s=document.window_seconds))
    if document.end:
        limits.append(sql("({day}::date + 1)::timestamp AT TIME ZONE {zone}", day=document.end, zone=zone))
    if not limits:
        return Sql("NULL::timestamptz")
    return sql("least({limits})", limits=Sql(", ").join(limits))


def _usual(document: ChallengeDocument, zone: str) -> Sql:
    """What the person `b.customer_id` reached before `b.started_at` in a time as long as the window; NULL where the
    target is the same for everybody."""
    personal = document.personal
    if personal is None:
        return Sql("NULL::numeric")
    window = document.window_seconds
    if document.calendar:
        window = int(_DAYS[document.window] * 86_400)
    scale = window / personal.seconds if window else 1.0
    return sql(
        "(SELECT {total} FROM (SELECT v.id, v.type_id, v.occurred_at, v.properties FROM event v"
        " WHERE v.customer_id = b.customer_id AND v.occurred_at >= b.started_at - make_interval(secs => {over})"
        " AND v.occurred_at < b.started_at OFFSET 0) v WHERE v.type_id = {type} AND {fits}) * {scale}::numeric",
        total=measures.total(document.measure, "v", zone),
        over=personal.seconds,
        type=types.type_id(document.event),
        fits=measures.fits(document, "v"),
        scale=str(scale),
    )


def _target(document: ChallengeDocument) -> Sql:
    """The target of an attempt, out of `u.usual` where it is the person's own."""
    if (goal := document.goal) is not None:
        return sql("{goal}::numeric", goal=goal)
    personal = document.personal or Personal()
    wanted = sql(
        "ceil(round(u.usual * {factor}::numeric / {round}::numeric, 6)) * {round}::numeric",
        factor=personal.factor,
        round=personal.round,
    )
    least = sql("greatest({wanted}, {least}::numeric)", wanted=wanted, least=personal.min)
    return least if personal.max is None else sql("least({least}, {most}::numeric)", least=least, most=personal.max)


def foreseen(
    challenges: Collection[tuple[int, ChallengeDocument, str]], customer_id: int, *, now: datetime
) -> dict[int, tuple[Decimal, Decimal]]:
    """(target, usual) of attempts that this person could begin now, for those of (id, document, time zone) whose target
    is the person's own."""
    parts = [
        sql(
            "SELECT {id}::int, {target}, round(u.usual, 2)"
            " FROM (SELECT {customer}::bigint AS customer_id, {now}::timestamptz AS started_at) b"
            " CROSS JOIN LATERAL (SELECT {usual} AS usual) u",
            id=challenge_id,
            target=_target(document),
            customer=customer_id,
            now=now,
            usual=_usual(document, zone),
        )
        for challenge_id, document, zone in challenges
        if document.personal is not None
    ]
    if not parts:
        return {}
    return {row[0]: (row[1], row[2]) for row in fetch(Sql(" UNION ALL ").join(parts))}


def beginners(challenge: Challenge, customers: Sql, *, now: datetime) -> Sql:
    """The rows of `begin_ctes` for those of `customers` (a SELECT of customer_id) who may begin an attempt at `now`."""
    document = document_of(challenge)
    most = document.most
    return sql(
        "SELECT p.customer_id, coalesce(last.number, 0) + 1, {now}::timestamptz, 0::bigint"
        " FROM (SELECT DISTINCT customer_id FROM ({customers}) x) p LEFT JOIN LATERAL ("
        "   SELECT r.number, r.state, r.ends_at FROM challenge_run r WHERE r.customer_id = p.customer_id"
        "   AND r.challenge_id = {challenge} ORDER BY r.number DESC LIMIT 1) last ON TRUE"
        " WHERE last.state IS DISTINCT FROM 'open' AND {again} AND {times} AND {turn} AND {audience}",
        now=now,
        customers=customers,
        challenge=challenge.pk,
        again=sql("coalesce(last.ends_at <= {now}, TRUE)", now=now) if document.calendar else Sql("TRUE"),
        times=Sql("TRUE") if most is None else sql("{done} < {most}", done=done_times(challenge.pk), most=most),
        turn=_up_now(challenge, document, now),
        audience=people.may_take_part(Sql("p.customer_id"), challenge.program_id, document.audience),
    )


def _up_now(challenge: Challenge, document: ChallengeDocument, now: datetime) -> Sql:
    at = sql("{now}::timestamptz", now=now)
    return rotation.is_up_sql(document, rotation.turn_of(challenge), at, zone_of(challenge.program_id))


def done_times(challenge_id: int) -> Sql:
    """How often the customer `p.customer_id` has done the challenge."""
    return sql(
        "(SELECT count(*) FROM challenge_run d WHERE d.customer_id = p.customer_id AND d.challenge_id = {id}"
        " AND d.state = 'done')",
        id=challenge_id,
    )


def running(challenge: Challenge, *, now: datetime) -> bool:
    """Whether people can begin now."""
    document = document_of(challenge)
    during = between(document.start, document.end, sql("{now}::timestamptz", now=now), zone_of(challenge.program_id))
    query = sql("SELECT {during} AND {turn}", during=during, turn=_up_now(challenge, document, now))
    return challenge.state == "active" and bool(fetch(query)[0][0])


def join(key: str, *, customer_ids: Collection[int], now: datetime) -> int:
    """Let these people take up a challenge; how many began. Who is at it already, or had it as often as is possible,
    is left out. Raises Problems for a challenge that is unknown, paused or over."""
    challenge = Challenge.objects.filter(key=key).first()
    if challenge is None:
        raise Problems([Problem("challenge", f"there is no challenge {key!r}")])
    if not running(challenge, now=now):
        raise Problems([Problem("challenge", "is paused, over, or has not begun", "look at its state and its days")])
    with transaction.atomic():
        partitions.ensure(now, now)
        known = sorted(people.lock(customer_ids))
        customers = sql("SELECT unnest({ids}::bigint[]) AS customer_id", ids=known)
        begun = begin_ctes("begun", challenge, beginners(challenge, customers, now=now), now=now)
        return fetch(sql("WITH {begun} SELECT count(*) FROM begun", begun=begun))[0][0]
