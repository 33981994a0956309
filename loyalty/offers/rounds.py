"""Rounds of personal offers: begun, given to people in batches, measured when they are over.

Each batch is a transaction of its own that holds the round, so that two workers never do the same and none waits.
"""

from collections.abc import Callable
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import partial
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from psycopg.types.json import Jsonb

from loyalty.kit.periods import local
from loyalty.kit.problems import Problems
from loyalty.kit.sql import execute, fetch, fetch_dicts, fetch_values, sql
from loyalty.offers import queries, rates, targets
from loyalty.offers.definition import OfferDocument, Personal
from loyalty.offers.models import Offer, OfferRound
from loyalty.program.setup import Setup, load

BATCH = 10_000
SECONDS = 15.0
# Purchases of the last hours of a round arrive later: tills that were offline, returns at once.
LATE = timedelta(days=1)
# What each person was offered is kept for questions; the outcome, which names nobody, stays.
KEPT = timedelta(days=400)


def go_on(*, now: datetime, seconds: float = SECONDS, batch: int = BATCH) -> int:
    """Begin, give and measure what is due; how many people (and rounds) it was."""
    until, done = monotonic() + seconds, 0
    for offer in Offer.objects.filter(definition__has_key="personal").order_by("pk"):
        document: OfferDocument = queries.document_of("offer", offer.definition)
        personal = document.personal
        if personal is None:
            continue
        try:
            setup = load(personal.program, "personal.program")
        except Problems:
            continue
        done += _begin(offer.pk, document, personal, setup, now)
        for work in (_give_next, _measure_next):
            done += _repeat(partial(work, offer.pk, document, personal, setup, now, batch), until)
    return done


def _repeat(work: Callable[[], int], until: float) -> int:
    done = 0
    while monotonic() < until and (now_done := work()):
        done += now_done
    return done


def point_value(document: OfferDocument, setup: Setup) -> Decimal:
    """What a point of the offer costs; 0 where it gives none."""
    return setup.document.wallets[0].value if document.benefit.type == "points" else Decimal(0)


def _fits(document: OfferDocument, now: datetime) -> bool:
    day = now.astimezone(ZoneInfo(document.timezone or settings.TIME_ZONE)).date()
    when = document.when
    return document.state == "active" and (not when.start or when.start <= day) and (not when.end or day <= when.end)


@transaction.atomic
def _begin(offer_id: int, document: OfferDocument, personal: Personal, setup: Setup, now: datetime) -> int:
    """Begin the next round where none runs; its sizes are chosen by what the rounds before taught."""
    if not _fits(document, now):
        return 0
    if not fetch(sql("SELECT id FROM offer WHERE id = {id} FOR NO KEY UPDATE SKIP LOCKED", id=offer_id)):
        return 0
    last = OfferRound.objects.filter(offer_id=offer_id).order_by("-number").first()
    if last is not None and last.ends_at > now:
        return 0
    before = OfferRound.objects.filter(offer_id=offer_id, outcome__isnull=False).order_by("-number")[: rates.ROUNDS]
    zone = document.timezone or settings.TIME_ZONE
    ends = local(now.astimezone(ZoneInfo(zone)).date() + timedelta(days=personal.days), time(0), zone)
    made = OfferRound.objects.create(
        offer_id=offer_id,
        number=1 if last is None else last.number + 1,
        given_at=now,
        ends_at=ends,
        settings={
            "point_value": str(point_value(document, setup)),
            "bands": [float(one) for one in personal.bands],
            "type": document.benefit.type,
            "currency": document.currency,
            "program": setup.key,
            "holdout": float(personal.holdout),
        },
        rates=[one.plain() for one in rates.learned(personal, [one.outcome or [] for one in before])],
    )
    execute(sql("UPDATE offer SET round_id = {round} WHERE id = {id}", round=made.pk, id=offer_id))
    return 1


def _taken(where: Any) -> dict[str, Any] | None:
    """The round to work on, ours until the transaction ends."""
    found = fetch_values(
        sql(
            "SELECT id, number, state, given_at, ends_at, cursor, settings, rates FROM offer_round WHERE {where}"
            " ORDER BY number LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED",
            where=where,
        )
    )
    return found[0] | {"point_value": found[0]["settings"]["point_value"]} if found else None


@transaction.atomic
def _give_next(
    offer_id: int, document: OfferDocument, personal: Personal, setup: Setup, now: datetime, batch: int
) -> int:
    """Give the next members their part; how many members were looked at."""
    round_ = _taken(
        sql("offer_id = {offer} AND state = 'giving' AND ends_at > {now}", offer=offer_id, now=now)
    ) if document.state == "active" else None  # fmt: skip
    if round_ is None:
        return 0
    since = round_["given_at"] - timedelta(seconds=personal.history_seconds)
    looked, last, _given = fetch(
        targets.give(document, personal, round_, program_id=setup.id, since=since, cursor=round_["cursor"], limit=batch)
    )[0]
    over = looked < batch
    execute(
        sql(
            "UPDATE offer_round SET cursor = {cursor}, state = {state} WHERE id = {id}",
            cursor=0 if over else last,
            state="running" if over else "giving",
            id=round_["id"],
        )
    )
    return max(1, looked)


@transaction.atomic
def _measure_next(
    offer_id: int, document: OfferDocument, personal: Personal, setup: Setup, now: datetime, batch: int
) -> int:
    """Measure the next people of a round that is over; how many."""
    round_ = _taken(
        sql(
            "offer_id = {offer} AND state IN ('giving', 'running') AND ends_at <= {last}",
            offer=offer_id,
            last=now - LATE,
        )
    )
    if round_ is None:
        return 0
    cursor = 0 if round_["state"] == "giving" else round_["cursor"]
    people, last = fetch(
        targets.measure(
            round_,
            offer_id=offer_id,
            program_id=setup.id,
            point_value=Decimal(round_["point_value"]),
            cursor=cursor,
            limit=batch,
        )
    )[0]
    if people == batch:
        execute(
            sql(
                "UPDATE offer_round SET state = 'running', cursor = {cursor} WHERE id = {id}",
                cursor=last,
                id=round_["id"],
            )
        )
        return int(people)
    found = fetch_dicts(targets.outcome(round_["id"]))
    execute(
        sql(
            "UPDATE offer_round SET state = 'measured', outcome = {found}, measured_at = {now} WHERE id = {id}",
            found=Jsonb(found),
            now=now,
            id=round_["id"],
        )
    )
    return max(1, int(people))


def forget_old(*, now: datetime, limit: int = 20_000) -> int:
    """Delete what people were offered in rounds long measured; how many rows."""
    return execute(
        sql(
            "DELETE FROM offer_personal WHERE (round_id, customer_id) IN (SELECT p.round_id, p.customer_id"
            " FROM offer_round r JOIN offer_personal p ON p.round_id = r.id"
            " WHERE r.measured_at < {before} LIMIT {limit})",
            before=now - KEPT,
            limit=limit,
        )
    )
