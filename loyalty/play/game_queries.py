"""Reads the games that a person may play, and how far the person is with each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from loyalty.kit.sql import fetch, fetch_values, sql
from loyalty.play import names, playing, raffles, rounds
from loyalty.play.admission import free_left
from loyalty.play.game_part import CARDS, QUESTIONS, TICKETS
from loyalty.play.models import Game
from loyalty.play.prize import sentence
from loyalty.play.queries import is_on, of_program, seen_by, shown_of
from loyalty.play.tables import Table, commitment_of, table_of

# What was drawn is shown so long to who had a ticket.
AFTERWARDS = timedelta(days=30)
TICKETS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Hand:
    """What is known of one person at all these games: counters, opened doors, latest plays, tickets, date of birth."""

    customer_id: int
    players: Mapping[int, Mapping[str, Any]]
    doors: Mapping[tuple[int, int], str]
    latest: Mapping[int, Mapping[str, Any]]
    tickets: Mapping[int, list[int]]
    born: date | None


def games(customer_id: int, *, now: datetime, program_id: int | None = None) -> list[dict[str, Any]]:
    """The games this person may play now, and prize draws whose tickets the person has.

    Each: key, type, style, name, description, image, from, to (days), plays_left (None for a calendar), free_left, age,
    needs_age (whether the person has to declare the age with the first play), doors (of a calendar: [{door, day, state:
    open, ready, closed or missed, outcome}]), questions (of the next play of a quiz), round (of a memory that is under
    way), tickets (numbers), draw_at, drawn_at, last (the latest play), commitment, rules (path of the public page),
    prizes [{key, name, prize, odds, right, moves, left}], consolation, on (whether it can be played today).
    """
    rows = of_program(Game.objects.filter(state="active").order_by("key"), program_id)
    tables = [table_of(row) for row in rows]
    visible = seen_by([(one.game, one.document) for one in tables], customer_id)
    current = [one for one in tables if one.game.pk in visible and _shown_still(one, now)]
    if not current:
        return []
    ids = [one.game.pk for one in current]
    hand = _hand(customer_id, ids, [one.game.pk for one in current if one.part.style == TICKETS])
    left = {
        (game_id, key): stock
        for game_id, key, stock in fetch(
            sql("SELECT game_id, key, stock - won FROM game_prize WHERE game_id = ANY({ids}::int[])", ids=ids)
        )
    }
    wanted = [one for one in current if is_on(one.document, one.today(now)) or hand.tickets.get(one.game.pk)]
    return [_game(one, hand, left, now) for one in wanted]


def _shown_still(table: Table, now: datetime) -> bool:
    if is_on(table.document, table.today(now)):
        return True
    over = table.today(now) > table.document.end
    return over and table.part.style == TICKETS and now < raffles.moment_of(table) + AFTERWARDS


def _hand(customer_id: int, ids: list[int], raffled: list[int]) -> Hand:
    parts = {"id": customer_id, "ids": ids}
    players = fetch_values(
        sql("SELECT * FROM game_player WHERE customer_id = {id} AND game_id = ANY({ids}::int[])", **parts)
    )
    doors = fetch(
        sql(
            "SELECT game_id, door, outcome FROM game_play WHERE customer_id = {id} AND game_id = ANY({ids}::int[])"
            " AND door IS NOT NULL",
            **parts,
        )
    )
    latest = fetch_values(
        sql(
            "SELECT DISTINCT ON (y.game_id) y.game_id, y.id AS play, y.played_at AS at, y.outcome, p.key AS prize,"
            " y.score, y.detail, y.door, (SELECT jsonb_agg(a.prize ORDER BY a.place) FROM prize_award a"
            " WHERE a.origin = {origin} AND a.ref = y.id) AS won FROM game_play y"
            " LEFT JOIN game_prize p ON p.id = y.prize_id"
            " WHERE y.customer_id = {id} AND y.game_id = ANY({ids}::int[]) ORDER BY y.game_id, y.number DESC",
            origin=names.GAME,
            **parts,
        )
    )
    born = fetch(sql("SELECT birth_date FROM customer WHERE id = {id}", id=customer_id))
    return Hand(
        customer_id,
        {row["game_id"]: row for row in players},
        {(game_id, door): outcome for game_id, door, outcome in doors},
        {row["game_id"]: row for row in latest},
        _tickets(customer_id, raffled) if raffled else {},
        born[0][0] if born else None,
    )


def _tickets(customer_id: int, ids: list[int]) -> dict[int, list[int]]:
    """The numbers of the person's tickets, by game."""
    query = sql(
        "SELECT game_id, (array_agg(id ORDER BY id))[1:{most}] FROM game_play WHERE customer_id = {id}"
        " AND game_id = ANY({ids}::int[]) GROUP BY game_id",
        most=TICKETS_SHOWN,
        id=customer_id,
        ids=ids,
    )
    return dict(fetch(query))


def _game(table: Table, hand: Hand, left: Mapping[tuple[int, str], int | None], now: datetime) -> dict[str, Any]:
    document, today, game_id = table.document, table.today(now), table.game.pk
    player = hand.players.get(game_id, {})
    open_today = is_on(document, today)
    free = free_left(table.free, player.get("free_period"), player.get("free_used", 0), today)
    earned = player.get("earned", 0) - player.get("used", 0)
    style = table.part.style
    shown = rounds.under_way(table, hand.customer_id) if style == CARDS else None
    return {
        **shown_of(document),
        "type": document.type,
        "style": style,
        "on": open_today,
        "from": document.start,
        "to": document.end,
        "plays_left": None if table.doors else earned + free if open_today else 0,
        "free_left": free,
        "age": document.age or None,
        "needs_age": bool(document.age) and hand.born is None and not player.get("of_age_at"),
        "doors": _doors(table, hand.doors, today),
        "questions": _questions(table, hand.customer_id, player.get("plays", 0)) if style == QUESTIONS else [],
        "round": shown,
        "cards": table.parameters.pairs * 2 if style == CARDS else 0,
        "tickets": hand.tickets.get(game_id, []),
        "draw_at": raffles.moment_of(table) if style == TICKETS else None,
        "drawn_at": table.game.drawn_at,
        "last": _last(table, hand.latest.get(game_id)),
        "commitment": commitment_of(table.game),
        "rules": f"/play/{document.key}/rules",
        "prizes": [
            {
                "key": one.key,
                "name": dict(one.name),
                "prize": sentence(one.prize),
                "odds": None if style == TICKETS else float(one.chance),
                "right": one.right,
                "moves": one.moves,
                "left": left.get((game_id, one.key)),
            }
            for one in document.prizes
        ],
        "consolation": sentence(document.consolation) if document.consolation else None,
    }


def _questions(table: Table, customer_id: int, plays: int) -> list[dict[str, Any]]:
    """The next questions, without which answers are right."""
    return [
        {
            "key": one.key,
            "text": dict(one.text),
            "answers": [{"key": answer.key, "text": dict(answer.text)} for answer in one.answers],
        }
        for one in playing.questions_of(table, customer_id, plays)
    ]


def _last(table: Table, row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    detail = row["detail"] or {}
    won = [sentence(one) for one in row["won"] or []]
    named = next((dict(one.name) for one in table.document.prizes if one.key == row["prize"]), None)
    return {
        "play": row["play"],
        "at": row["at"],
        "outcome": row["outcome"],
        "prize": row["prize"],
        "name": named,
        "sentence": ", ".join(won),
        "score": row["score"],
        "judged": detail.get("judged"),
        "right": _right(table, detail.get("answers", {})) if getattr(table.parameters, "reveal", False) else [],
    }


def _right(table: Table, answers: Mapping[str, str]) -> list[dict[str, Any]]:
    """For a quiz that tells: each question that was asked, whether the answer was right, and the right ones."""
    return [
        {
            "text": dict(one.text),
            "hit": any(answer.right and answer.key == answers[one.key] for answer in one.answers),
            "answers": [dict(answer.text) for answer in one.answers if answer.right],
        }
        for one in table.parameters.questions
        if one.key in answers and one.judged
    ]


def _doors(table: Table, opened: Mapping[tuple[int, int], str], today: Any) -> list[dict[str, Any]]:
    found = []
    for door in range(1, table.part.door_count(table.parameters) + 1):
        day = table.document.start + timedelta(days=door - 1)
        outcome = opened.get((table.game.pk, door))
        problem = table.part.door_problem(table.parameters, table.document, door, today)
        state = "open" if outcome else "ready" if problem is None else "missed" if day < today else "closed"
        found.append({"door": door, "day": day, "state": state, "outcome": outcome})
    return found
