"""Reads what people see of challenges, stamp cards, badges and games, and what they won."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.kit.periods import local
from loyalty.kit.sql import Sql, fetch, fetch_values, sql
from loyalty.play import people, rotation, starting
from loyalty.play.days import zone_of
from loyalty.play.definition import ChallengeDocument, Timed
from loyalty.play.models import Challenge, Definition, StampCard
from loyalty.play.prize import sentence
from loyalty.play.stamping import document_of as card_document_of

_STREAK_LENGTH = {"day": timedelta(days=1), "week": timedelta(days=7)}


def seen_by(found: Sequence[tuple[Definition, Timed]], customer_id: int) -> set[int]:
    """Ids of those whose audience the person belongs to; one query."""
    if not found:
        return set()
    one = sql("{id}::bigint", id=customer_id)
    parts = [
        sql("SELECT {id}::int WHERE {may}", id=row.pk, may=people.may_take_part(one, row.program_id, document.audience))
        for row, document in found
    ]
    return {row[0] for row in fetch(Sql(" UNION ALL ").join(parts))}


def _day(now: datetime, zone: str) -> Any:
    return now.astimezone(ZoneInfo(zone)).date()


def _zones(rows: Sequence[Definition]) -> dict[int | None, str]:
    return {program_id: zone_of(program_id) for program_id in {row.program_id for row in rows}}


def is_on(document: Timed, today: Any) -> bool:
    """Whether the day is one of its days."""
    return (document.start is None or document.start <= today) and (document.end is None or today <= document.end)


def shown_of(document: Any) -> dict[str, Any]:
    """What everybody sees of it."""
    return {
        "key": document.key,
        "name": dict(document.name),
        "description": dict(document.description),
        "image": document.image,
    }


def of_program(rows: Any, program_id: int | None) -> list[Any]:
    """Those of the program, where one is named."""
    return list(rows.filter(program_id=program_id) if program_id is not None else rows)


def challenges(customer_id: int, *, now: datetime, program_id: int | None = None) -> list[dict[str, Any]]:
    """The challenges this person sees, with how far they are; hidden ones only when they are under way or done.

    Each: key, name, description (texts by language), image, state (open, done, lapsed, available), joinable, progress,
    target, usual (what a personal target was made from, else None), until (the last day of its turn, where it takes
    turns), unit (events, days, amount, things, or periods for streaks), streak (day, week, month or None), best,
    share (0..1), started_at, ends_at, closed_at, done (times), prizes (sentences).
    """
    rows = of_program(Challenge.objects.filter(state="active").order_by("key"), program_id)
    zones = _zones(rows)
    found = [(row, starting.document_of(row)) for row in rows]
    visible = seen_by(found, customer_id)
    runs = _runs(customer_id)
    turns = rotation.turns(rows)
    foreseen = starting.foreseen([(r.pk, d, zones[r.program_id]) for r, d in found], customer_id, now=now)
    shown = []
    for row, document in found:
        run, done = runs.get(row.pk, (None, 0))
        zone = zones[row.program_id]
        today = _day(now, zone)
        current = is_on(document, today) and rotation.is_up(document, turns.get(row.pk), today)
        if run is not None and run["state"] != "open" and row.pk in turns and not current:
            continue
        if run is None and (document.hidden or not current or row.pk not in visible):
            continue
        one = _challenge(document, run, done, now, zone, current and row.pk in visible)
        if one["state"] == "available" and row.pk in foreseen:
            one["target"], one["usual"] = foreseen[row.pk]
        one["until"] = rotation.last_day(document, today) if row.pk in turns else None
        shown.append(one)
    return shown


def _runs(customer_id: int) -> dict[int, tuple[dict[str, Any] | None, int]]:
    rows = fetch_values(
        sql(
            "SELECT DISTINCT ON (challenge_id) *, count(*) FILTER (WHERE state = 'done')"
            " OVER (PARTITION BY challenge_id) AS done FROM challenge_run WHERE customer_id = {id}"
            " ORDER BY challenge_id, number DESC",
            id=customer_id,
        )
    )
    return {row["challenge_id"]: (row, row["done"]) for row in rows}


def _challenge(
    document: ChallengeDocument, run: Mapping[str, Any] | None, done: int, now: datetime, zone: str, open_to: bool
) -> dict[str, Any]:
    again = open_to and (document.most is None or done < document.most)
    if run is not None and document.calendar and run["ends_at"] is not None and run["ends_at"] > now:
        again = False
    # What can be done once more is available again, so that nobody looks at a full bar and thinks it is over.
    fresh = run is None or (run["state"] != "open" and again)
    progress = Decimal(0) if run is None or fresh else run["progress"]
    if run is not None and run["state"] == "open" and broken(document, run["period_at"], now, zone):
        progress = Decimal(0)
    target = document.goal if run is None else run["target"]
    return {
        **shown_of(document),
        "state": "available" if run is None or fresh else run["state"],
        "joinable": fresh and again and document.join == "explicit",
        "progress": progress,
        "target": target,
        "usual": run["usual"] if run and not fresh else None,
        "unit": _unit(document),
        "streak": document.streak.every if document.streak else None,
        "each": (document.target or Decimal(1)) if document.streak else None,
        "best": run["best"] if run else Decimal(0),
        "share": float(min(Decimal(1), progress / target)) if target else 0.0,
        "started_at": None if run is None or fresh else run["started_at"],
        "ends_at": None if run is None or fresh else run["ends_at"],
        "closed_at": run["closed_at"] if run else None,
        "done": done,
        "prizes": [sentence(one) for one in document.prizes],
    }


def _unit(document: ChallengeDocument) -> str:
    if document.streak:
        return "periods"
    measure = document.measure
    return "events" if measure.count else "days" if measure.days else "amount" if measure.sum else "things"


def broken(document: ChallengeDocument, period_at: datetime | None, now: datetime, zone: str) -> bool:
    """Whether the streak whose last good period began at `period_at` has missed a period since."""
    if document.streak is None or period_at is None:
        return False
    began = period_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    if document.streak.every == "month":
        month = began.year * 12 + began.month - 1 + 2
        missed = began.replace(year=month // 12, month=month % 12 + 1, day=1)
    else:
        missed = began + 2 * _STREAK_LENGTH[document.streak.every]
    return now >= local(missed.date(), missed.time(), zone)


def stamp_cards(customer_id: int, *, now: datetime, program_id: int | None = None) -> list[dict[str, Any]]:
    """The stamp cards with this person's open sheet.

    Each: key, name, description, image, stamps, size, expires_at, complete (sheets), steps [{at, prize}], prizes
    (sentences).
    """
    rows = of_program(StampCard.objects.filter(state="active").order_by("key"), program_id)
    zones = _zones(rows)
    found = [(row, card_document_of(row)) for row in rows]
    visible = seen_by(found, customer_id)
    sheets = {
        row["card_id"]: row
        for row in fetch_values(
            sql(
                "SELECT card_id, count(*) FILTER (WHERE state = 'complete') AS complete, max(number) AS last,"
                " max(stamps) FILTER (WHERE state = 'open' AND coalesce(expires_at > {now}, TRUE)) AS stamps,"
                " max(size) FILTER (WHERE state = 'open') AS size,"
                " max(expires_at) FILTER (WHERE state = 'open' AND expires_at > {now}) AS expires_at"
                " FROM stamp_sheet WHERE customer_id = {id} GROUP BY card_id",
                id=customer_id,
                now=now,
            )
        )
    }
    shown = []
    for row, document in found:
        sheet = sheets.get(row.pk)
        if sheet is None and not (row.pk in visible and is_on(document, _day(now, zones[row.program_id]))):
            continue
        mine = sheet or {}
        shown.append(
            {
                **shown_of(document),
                "stamps": mine.get("stamps") or 0,
                "size": mine.get("size") or document.size,
                "expires_at": mine.get("expires_at"),
                "complete": mine.get("complete") or 0,
                "steps": [{"at": s.at, "prize": sentence(one)} for s in document.steps for one in s.prizes],
                "prizes": [sentence(one) for one in document.prizes],
            }
        )
    return shown


def badges(customer_id: int) -> list[dict[str, Any]]:
    """The badges this person has: key, name, description, image, times, since, level and next ({key, name, at} or
    None)."""
    rows = fetch_values(
        sql(
            "SELECT b.key, b.name, b.definition, c.times, c.since FROM customer_badge c"
            " JOIN badge b ON b.id = c.badge_id WHERE c.customer_id = {id} ORDER BY c.since DESC, b.key",
            id=customer_id,
        )
    )
    return [_badge(row) for row in rows]


def _badge(row: Mapping[str, Any]) -> dict[str, Any]:
    levels = [{"name": {}, **one} for one in row["definition"].get("levels", [])]
    reached = [one for one in levels if one["at"] <= row["times"]]
    return {
        "key": row["key"],
        "name": row["name"],
        "description": row["definition"].get("description", {}),
        "image": row["definition"].get("image"),
        "times": row["times"],
        "since": row["since"],
        "level": reached[-1] if reached else None,
        "next": levels[len(reached)] if len(reached) < len(levels) else None,
    }


def prizes_won(customer_id: int, *, limit: int = 50) -> list[dict[str, Any]]:
    """What this person won, newest first: id, origin (challenge, stamp_card, game), of (its key), name (by language),
    prize (in words), type, state (due, given, refused), reference (a code, a booking), won_at, given_at."""
    rows = fetch_values(
        sql(
            "SELECT a.id, a.origin, coalesce(c.key, s.key, g.key) AS of, coalesce(c.name, s.name, g.name) AS name,"
            " a.prize, a.kind AS type, a.state, a.reference, a.created_at AS won_at, a.given_at FROM prize_award a"
            " LEFT JOIN challenge c ON a.origin = 'challenge' AND c.id = a.origin_id"
            " LEFT JOIN stamp_card s ON a.origin = 'stamp_card' AND s.id = a.origin_id"
            " LEFT JOIN game g ON a.origin = 'game' AND g.id = a.origin_id"
            " WHERE a.customer_id = {id} ORDER BY a.id DESC LIMIT {limit}",
            id=customer_id,
            limit=limit,
        )
    )
    return [row | {"prize": sentence(row["prize"])} for row in rows]
