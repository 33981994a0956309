"""Stamps are given: once for each key, laid onto sheets, and what a full sheet wins is written down."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from loyalty.events import facts, partitions
from loyalty.kit.periods import Period
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, fetch, sql
from loyalty.play import awards, names, people, sources
from loyalty.play.days import between, zone_of
from loyalty.play.definition import StampCardDocument
from loyalty.play.models import StampCard
from loyalty.play.sheets import Sheet, Terms, lay

# A full one is written with its prizes in well under a second.
BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Given:
    """Stamps for a customer; `key` makes it happen once."""

    customer_id: int
    count: int
    at: datetime
    key: UUID


def document_of(card: StampCard) -> StampCardDocument:
    """The card's document."""
    return StampCardDocument.model_validate(card.definition)


def give(
    card: StampCard, given: Sequence[Given], *, source: str, now: datetime, actor: str | None = None
) -> dict[int, int]:
    """Give stamps to any number of people; stamps by customer, without those whose key was used before."""
    if not given:
        return {}
    with transaction.atomic():
        known = people.lock({one.customer_id for one in given})
        ready = [one for one in given if one.customer_id in known]
        rows = sql(
            "SELECT * FROM unnest({customers}::bigint[], {counts}::int[], {times}::timestamptz[], {keys}::uuid[])",
            customers=[one.customer_id for one in ready],
            counts=[one.count for one in ready],
            times=[one.at for one in ready],
            keys=[one.key for one in ready],
        )
        return _put(card, rows, source=source, now=now, actor=actor)


def give_to(
    card: StampCard, customer_id: int, count: int, key: UUID, *, now: datetime, actor: str | None = None
) -> int:
    """Give stamps to one person by hand or by a call; how many came onto the card. Raises Problems."""
    document = document_of(card)
    one = sql("{id}::bigint", id=customer_id)
    may, during = fetch(
        sql(
            "SELECT {may}, {during}",
            may=people.may_take_part(one, card.program_id, document.audience),
            during=between(document.start, document.end, sql("{now}::timestamptz", now=now), zone_of(card.program_id)),
        )
    )[0]
    problems = []
    if card.state != "active" or not during:
        problems.append(Problem("stamp_card", "is paused, over, or has not begun", "look at its state and its days"))
    if not may:
        problems.append(Problem("customer", "is no member of those the card is for", "let the customer join first"))
    if problems:
        raise Problems(problems)
    source = "by hand" if actor else "api"
    return give(card, [Given(customer_id, count, now, key)], source=source, now=now, actor=actor).get(customer_id, 0)


def from_events(card: StampCard, *, now: datetime) -> int:
    """Give the stamps that the taken events earn; how many people got any. Their customers are locked."""
    document = document_of(card)
    zone = zone_of(card.program_id)
    done: set[int] = set()
    for source in document.earn:
        label = f"event:{source.event}"
        found = sources.granted(
            source,
            label=label,
            table="stamp",
            owner=sql("s.card_id = {id}", id=card.pk),
            audience=sql(
                "{audience} AND {time}",
                audience=people.may_take_part(Sql("t.customer_id"), card.program_id, document.audience),
                time=between(document.start, document.end, Sql("t.occurred_at"), zone),
            ),
            zone=zone,
        )
        rows = sql(
            "SELECT customer_id, granted, occurred_at,"
            " md5('stamp:' || {card} || ':' || {label} || ':' || event_id)::uuid FROM ({found}) e",
            card=card.pk,
            label=label,
            found=found,
        )
        done |= _put(card, rows, source=label, now=now).keys()
    return len(done)


def _put(card: StampCard, rows: Sql, *, source: str, now: datetime, actor: str | None = None) -> dict[int, int]:
    """Write the stamps of `rows` (customer_id, count, at, key) that are new, and lay them."""
    new = fetch(
        sql(
            "INSERT INTO stamp (card_id, customer_id, count, at, key_digest, source, actor)"
            " SELECT {card}::int, r.customer_id, r.count, r.at, r.key, {source}, {actor}::text"
            " FROM ({rows}) AS r (customer_id, count, at, key) ORDER BY r.key"
            " ON CONFLICT (key_digest) DO NOTHING RETURNING customer_id, at, count",
            card=card.pk,
            rows=rows,
            source=source[:200],
            actor=actor,
        )
    )
    by_person: dict[int, list[tuple[datetime, int]]] = {}
    for customer_id, at, count in new:
        by_person.setdefault(customer_id, []).append((at, count))
    if by_person:
        lay_on(card, by_person, now)
    return {customer_id: sum(count for _, count in stamps) for customer_id, stamps in by_person.items()}


def lay_on(card: StampCard, stamps: dict[int, list[tuple[datetime, int]]], now: datetime) -> None:
    """Lay stamps, by customer as (when, how many), onto sheets; what full sheets win is written down."""
    document = document_of(card)
    terms = _terms(document, zone_of(card.program_id))
    ids = sorted(stamps)
    _one_at_a_time(card, ids)
    have = {
        row[0]: row[1:]
        for row in fetch(
            sql(
                "SELECT customer_id, max(number), count(*) FILTER (WHERE state = 'complete'),"
                " max(id) FILTER (WHERE state = 'open') FROM stamp_sheet"
                " WHERE card_id = {card} AND customer_id = ANY({ids}::bigint[]) GROUP BY customer_id",
                card=card.pk,
                ids=ids,
            )
        )
    }
    open_ids = [row[2] for row in have.values() if row[2] is not None]
    sheets = {
        row[0]: Sheet(row[1], row[2], row[3], row[4], stamps=row[5], before=row[5], id=row[6])
        for row in fetch(
            sql(
                "SELECT customer_id, number, size, started_at, expires_at, stamps, id FROM stamp_sheet"
                " WHERE id = ANY({ids}::bigint[]) FOR UPDATE",
                ids=open_ids,
            )
        )
    }
    changed = []
    for customer_id in ids:
        last, complete, _ = have.get(customer_id, (0, 0, None))
        laid, _lost = lay(sheets.get(customer_id), last, complete, stamps[customer_id], terms)
        changed += [(customer_id, sheet) for sheet in laid]
    _write(card, document, changed, now)


def _one_at_a_time(card: StampCard, customer_ids: list[int]) -> None:
    """Let two tills not begin two sheets for one person. By 256 buckets, for locks are not without number."""
    fetch(
        sql(
            "SELECT pg_advisory_xact_lock({card}::int, bucket) FROM (SELECT DISTINCT (id % 256)::int AS bucket"
            " FROM unnest({ids}::bigint[]) AS id ORDER BY 1) b",
            card=card.pk,
            ids=customer_ids,
        )
    )


def _terms(document: StampCardDocument, zone: str) -> Terms:
    expires = document.expires
    ends = None
    if expires is not None:
        period = Period.parse(expires.after)
        ends = lambda at: period.add_to(at, zone)  # noqa: E731
    most = None if document.times == "unlimited" else int(document.times)
    return Terms(document.size, ends, from_last=expires is not None and expires.counted_from == "last", most=most)


_UPDATE = """UPDATE stamp_sheet s SET stamps = w.stamps, state = w.state, expires_at = w.expires_at,
    closed_at = w.closed_at
FROM unnest({ids}::bigint[], {stamps}::int[], {states}::text[], {expires}::timestamptz[], {closed}::timestamptz[])
    AS w (id, stamps, state, expires_at, closed_at)
WHERE s.id = w.id RETURNING s.customer_id, s.number, s.id"""
_INSERT = """INSERT INTO stamp_sheet (
    card_id, customer_id, number, size, started_at, stamps, state, expires_at, closed_at)
SELECT {card}::int, * FROM unnest({customers}::bigint[], {numbers}::int[], {sizes}::int[], {started}::timestamptz[],
    {stamps}::int[], {states}::text[], {expires}::timestamptz[], {closed}::timestamptz[])
RETURNING customer_id, number, id"""


def _write(card: StampCard, document: StampCardDocument, changed: list[tuple[int, Sheet]], now: datetime) -> None:
    old = [(customer_id, sheet) for customer_id, sheet in changed if sheet.id is not None]
    new = [(customer_id, sheet) for customer_id, sheet in changed if sheet.id is None]
    rows: list[tuple[Any, ...]] = []
    # The sheets that close go first: a person has one open sheet at a time.
    if old:
        rows += fetch(sql(_UPDATE, ids=[sheet.id for _, sheet in old], **_columns(old)))
    if new:
        rows += fetch(
            sql(
                _INSERT,
                card=card.pk,
                customers=[customer_id for customer_id, _ in new],
                numbers=[sheet.number for _, sheet in new],
                sizes=[sheet.size for _, sheet in new],
                started=[sheet.started_at for _, sheet in new],
                **_columns(new),
            )
        )
    ids = {(customer_id, number): sheet_id for customer_id, number, sheet_id in rows}
    told = [(customer_id, sheet, ids[customer_id, sheet.number]) for customer_id, sheet in changed]
    _tell(card, told, now)
    origin = awards.Origin(names.STAMP_CARD, card.pk, card.key, card.program_id)
    for place, (stamps, prize) in enumerate(document.stages()):
        # A sheet keeps the size it began with; the last prizes are for the full one.
        wins = [
            awards.Win(sheet_id, customer_id, sheet.closed_at or now)
            for customer_id, sheet, sheet_id in told
            if sheet.before < (sheet.size if stamps == document.size else stamps) <= sheet.stamps
        ]
        awards.write(origin, [(place, prize)], wins, now=now)


def _columns(sheets: list[tuple[int, Sheet]]) -> dict[str, list[Any]]:
    return {
        "stamps": [sheet.stamps for _, sheet in sheets],
        "states": [sheet.state for _, sheet in sheets],
        "expires": [sheet.expires_at for _, sheet in sheets],
        "closed": [sheet.closed_at for _, sheet in sheets],
    }


def _tell(card: StampCard, told: list[tuple[int, Sheet, int]], now: datetime) -> None:
    """Facts: a sheet got stamps, is full, is void."""
    if closed := [sheet.closed_at for _, sheet, _ in told if sheet.closed_at]:
        partitions.ensure(min(*closed, now), max(*closed, now))
    else:
        partitions.ensure(now, now)
    for fact, chosen in (
        ("stamp.given", [one for one in told if one[1].stamps > one[1].before]),
        ("stamp_card.completed", [one for one in told if one[1].state == "complete"]),
        ("stamp_card.expired", [one for one in told if one[1].state == "expired"]),
    ):
        if chosen:
            facts.write(fact, _fact_rows(card, chosen, now))


def _fact_rows(card: StampCard, told: list[tuple[int, Sheet, int]], now: datetime) -> Sql:
    return sql(
        "SELECT f.customer_id, f.at, f.id, jsonb_build_object('stamp_card', {key}::text, 'stamps', f.stamps, 'size',"
        " f.size) FROM unnest({customers}::bigint[], {times}::timestamptz[], {ids}::bigint[], {stamps}::int[],"
        " {sizes}::int[]) AS f (customer_id, at, id, stamps, size)",
        key=card.key,
        customers=[customer_id for customer_id, _, _ in told],
        times=[sheet.closed_at or now for _, sheet, _ in told],
        ids=[sheet_id for _, _, sheet_id in told],
        stamps=[sheet.stamps for _, sheet, _ in told],
        sizes=[sheet.size for _, sheet, _ in told],
    )


def expire(*, now: datetime, limit: int = BATCH) -> int:
    """Close the open sheets whose time is up; how many. Safe to run at the same time."""
    with transaction.atomic():
        partitions.ensure(now, now)
        fact = facts.ctes(
            "fact",
            "stamp_card.expired",
            Sql(
                "SELECT g.customer_id, g.closed_at, g.id, jsonb_build_object('stamp_card', c.key, 'stamps', g.stamps,"
                " 'size', g.size) FROM gone g JOIN stamp_card c ON c.id = g.card_id"
            ),
            ask=False,
        )
        return fetch(
            sql(
                "WITH due AS MATERIALIZED (SELECT id FROM stamp_sheet WHERE state = 'open' AND expires_at <= {now}"
                " ORDER BY expires_at LIMIT {limit} FOR UPDATE SKIP LOCKED), gone AS ("
                " UPDATE stamp_sheet s SET state = 'expired', closed_at = {now} FROM due WHERE s.id = due.id"
                " RETURNING s.id, s.card_id, s.customer_id, s.stamps, s.size, s.closed_at), {fact}"
                " SELECT count(*) FROM gone",
                now=now,
                limit=limit,
                fact=fact,
            )
        )[0][0]


_BIRTHDAYS = """SELECT c.id, md5('stamp:' || {card} || ':birthday:' || c.id || ':' || {year}::int)::uuid FROM customer c
WHERE extract(month FROM c.birth_date) * 100 + extract(day FROM c.birth_date) = ANY({days}::int[]) AND {audience}
    AND NOT EXISTS (SELECT FROM stamp s WHERE s.key_digest =
        md5('stamp:' || {card} || ':birthday:' || c.id || ':' || {year}::int)::uuid)
ORDER BY c.id LIMIT {limit}"""


def birthdays(card: StampCard, days: Sequence[int], year: int, *, now: datetime, limit: int = BATCH) -> int:
    """Give the stamps of birthdays on `days` (month * 100 + day) that were not given this year; how many people."""
    document = document_of(card)
    audience = people.may_take_part(Sql("c.id"), card.program_id, document.audience)
    rows = fetch(sql(_BIRTHDAYS, card=card.pk, year=year, days=list(days), audience=audience, limit=limit))
    given = [Given(customer_id, document.birthday, now, key) for customer_id, key in rows]
    return len(give(card, given, source="birthday", now=now))
