"""Reads what people see of challenges, stamp cards, badges and games, and what they won."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.kit.periods import local
from loyalty.kit.sql import Sql, fetch, fetch_values, sql
from loyalty.play import people, playing, starting
from loyalty.play.days import zone_of
from loyalty.play.definition import ChallengeDocument, Timed
from loyalty.play.models import Challenge, Definition, Game, StampCard
from loyalty.play.prize import sentence
from loyalty.play.stamping import document_of as card_document_of

_STREAK_LENGTH = {"day": timedelta(days=1), "week": timedelta(days=7)}


def _visible(found: Sequence[tuple[Definition, Timed]], customer_id: int) -> set[int]:
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


def _during(document: Timed, today: Any) -> bool:
    return (document.start is None or document.start <= today) and (document.end is None or today <= document.end)


def _shown(document: Any) -> dict[str, Any]:
    return {
        "key": document.key,
        "name": dict(document.name),
        "description": dict(document.description),
        "image": document.image,
    }


def _of_program(rows: Any, program_id: int | None) -> list[Any]:
    return list(rows.filter(program_id=program_id) if program_id is not None else rows)


def challenges(customer_id: int, *, now: datetime, program_id: int | None = None) -> list[dict[str, Any]]:
    """The challenges this person sees, with how far they are; hidden ones only when they are under way or done.

    Each: key, name, description (texts by language), image, state (open, done, lapsed, available), joinable, progress,
    target, unit (events, days, amount, things, or periods for streaks), streak (day, week, month or None), best,
    share (0..1), started_at, ends_at, closed_at, done (times), prizes (sentences).
    """
    rows = _of_program(Challenge.objects.filter(state="active").order_by("key"), program_id)
    zones = _zones(rows)
    found = [(row, starting.document_of(row)) for row in rows]
    visible = _visible(found, customer_id)
    runs = _runs(customer_id)
    shown = []
    for row, document in found:
        run, done = runs.get(row.pk, (None, 0))
        zone = zones[row.program_id]
        current = _during(document, _day(now, zone))
        if run is None and (document.hidden or not current or row.pk not in visible):
            continue
        shown.append(_challenge(document, run, done, now, zone, current and row.pk in visible))
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
        **_shown(document),
        "state": "available" if run is None or fresh else run["state"],
        "joinable": fresh and again and document.join == "explicit",
        "progress": progress,
        "target": target,
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
    rows = _of_program(StampCard.objects.filter(state="active").order_by("key"), program_id)
    zones = _zones(rows)
    found = [(row, card_document_of(row)) for row in rows]
    visible = _visible(found, customer_id)
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
        if sheet is None and not (row.pk in visible and _during(document, _day(now, zones[row.program_id]))):
            continue
        mine = sheet or {}
        shown.append(
            {
                **_shown(document),
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
    """The badges this person has: key, name, description, image, times, since."""
    rows = fetch_values(
        sql(
            "SELECT b.key, b.name, b.definition, c.times, c.since FROM customer_badge c"
            " JOIN badge b ON b.id = c.badge_id WHERE c.customer_id = {id} ORDER BY c.since DESC, b.key",
            id=customer_id,
        )
    )
    return [
        {
            "key": row["key"],
            "name": row["name"],
            "description": row["definition"].get("description", {}),
            "image": row["definition"].get("image"),
            "times": row["times"],
            "since": row["since"],
        }
        for row in rows
    ]


def games(customer_id: int, *, now: datetime, program_id: int | None = None) -> list[dict[str, Any]]:
    """The games this person may play now.

    Each: key, type, name, description, image, from, to (days), plays_left (None for a calendar), free_left, age,
    needs_age (whether the person has to declare the age with the first play), doors (of a calendar: [{door, day, state:
    open, ready, closed or missed, outcome}]), commitment, rules (path of the public page), prizes [{key, name, prize,
    odds, left}], consolation.
    """
    rows = _of_program(Game.objects.filter(state="active").order_by("key"), program_id)
    tables = [playing.table_of(row) for row in rows]
    visible = _visible([(one.game, one.document) for one in tables], customer_id)
    current = [t for t in tables if t.game.pk in visible and _during(t.document, t.today(now))]
    if not current:
        return []
    ids = [one.game.pk for one in current]
    players = {
        row["game_id"]: row
        for row in fetch_values(
            sql(
                "SELECT * FROM game_player WHERE customer_id = {id} AND game_id = ANY({ids}::int[])",
                id=customer_id,
                ids=ids,
            )
        )
    }
    opened = _opened(customer_id, ids)
    left = {
        (game_id, key): stock
        for game_id, key, stock in fetch(
            sql("SELECT game_id, key, stock - won FROM game_prize WHERE game_id = ANY({ids}::int[])", ids=ids)
        )
    }
    birth_date = fetch(sql("SELECT birth_date FROM customer WHERE id = {id}", id=customer_id))
    born = birth_date[0][0] if birth_date else None
    return [_game(one, players.get(one.game.pk, {}), opened, left, born, now) for one in current]


def _opened(customer_id: int, game_ids: list[int]) -> dict[tuple[int, int], str]:
    query = sql(
        "SELECT game_id, door, outcome FROM game_play WHERE customer_id = {id} AND game_id = ANY({ids}::int[])"
        " AND door IS NOT NULL",
        id=customer_id,
        ids=game_ids,
    )
    return {(game_id, door): outcome for game_id, door, outcome in fetch(query)}


def _game(
    table: playing.Table,
    player: Mapping[str, Any],
    opened: Mapping[tuple[int, int], str],
    left: Mapping[tuple[int, str], int | None],
    born: Any,
    now: datetime,
) -> dict[str, Any]:
    document, today = table.document, table.today(now)
    free = playing.free_left(table.free, player.get("free_period"), player.get("free_used", 0), today)
    earned = player.get("earned", 0) - player.get("used", 0)
    return {
        **_shown(document),
        "type": document.type,
        "from": document.start,
        "to": document.end,
        "plays_left": None if table.part.doors else earned + free,
        "free_left": free,
        "age": document.age or None,
        "needs_age": bool(document.age) and born is None and not player.get("of_age_at"),
        "doors": _doors(table, opened, today),
        "commitment": playing.commitment_of(table.game),
        "rules": f"/play/{document.key}/rules",
        "prizes": [
            {
                "key": one.key,
                "name": dict(one.name),
                "prize": sentence(one.prize),
                "odds": float(one.odds),
                "left": left.get((table.game.pk, one.key)),
            }
            for one in document.prizes
        ],
        "consolation": sentence(document.consolation) if document.consolation else None,
    }


def _doors(table: playing.Table, opened: Mapping[tuple[int, int], str], today: Any) -> list[dict[str, Any]]:
    found = []
    for door in range(1, table.part.door_count(table.parameters) + 1):
        day = table.document.start + timedelta(days=door - 1)
        outcome = opened.get((table.game.pk, door))
        problem = table.part.door_problem(table.parameters, table.document, door, today)
        state = "open" if outcome else "ready" if problem is None else "missed" if day < today else "closed"
        found.append({"door": door, "day": day, "state": state, "outcome": outcome})
    return found


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
