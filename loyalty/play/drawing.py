"""The draw of a play: the prize out of the stock, and everything written down; then told."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty.events import facts
from loyalty.kit.sql import Sql, fetch, sql
from loyalty.play import awards, draws, names
from loyalty.play.admission import plays_left
from loyalty.play.game_part import QUESTIONS, TICKETS, Turn
from loyalty.play.prize import sentence
from loyalty.play.tables import Table

# The prize or the consolation has the first place, points for right answers the second.
_PRIZE, _POINTS = 0, 1
_WRITE = """WITH counted AS (
    UPDATE game_player SET plays = {number} WHERE customer_id = {customer} AND game_id = {game}
), played AS (
    INSERT INTO game_play (game_id, customer_id, number, door, played_at, free, nonce, draw, prize_id, outcome, score,
        detail, key_digest)
    VALUES ({game}, {customer}, {number}, {door}::smallint, {now}, {free}, {nonce}, {drawn}, {prize}::int, {outcome},
        {score}::smallint, {detail}::jsonb, {digest}::uuid)
    RETURNING id, customer_id, played_at
), {fact}{answered} SELECT id FROM played"""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a play. `prize` is the prize's name by language, `sentence` all that was won in words, `reference` a
    code where there is one at once; `score` right answers or moves, `detail` what was answered.

    `repeated`: this call had come before; nothing was drawn again.
    """

    play_id: int
    outcome: str
    prize_key: str | None
    prize: dict[str, str] | None
    sentence: str
    reference: str | None
    plays_left: int | None
    repeated: bool = False
    score: int | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """A play that is paid for and about to be drawn."""

    customer_id: int
    number: int
    free: bool
    turn: Turn
    detail: dict[str, Any] | None = None
    digest: UUID | None = None


def draw(table: Table, play: Written, now: datetime) -> tuple[int, list[int]]:
    """Draw, take the prize out of the stock and write everything down: the play and what was won.

    The player's row is locked, and the month has its partition.
    """
    later = table.part.style == TICKETS
    nonce = draws.nonce(play.customer_id, play.number)
    drawn = 0.0 if later else draws.draw(table.secret, nonce)
    chosen = draws.pick(
        drawn, [(one, one.chance) for one in table.part.prizes(table.parameters, table.document, play.turn)]
    )
    prize_id = _take(table.game.pk, play.customer_id, chosen.key, chosen.per_person) if chosen else None
    won = [] if later else _won(table, chosen.prize if chosen and prize_id else None, play.turn)
    outcome = names.ENTERED if later else names.WON if prize_id else names.CONSOLATION if won else names.NOTHING
    key = chosen.key if chosen and prize_id else None
    rows = fetch(
        sql(
            _WRITE,
            number=play.number,
            customer=play.customer_id,
            game=table.game.pk,
            door=play.turn.door,
            now=now,
            free=play.free,
            nonce=nonce,
            drawn=drawn,
            prize=prize_id,
            outcome=outcome,
            score=play.turn.score,
            detail=None if play.detail is None else json.dumps(play.detail),
            digest=play.digest,
            fact=_played(table, outcome, key),
            answered=_answered(table, play),
        )
    )
    play_id = rows[0][0]
    origin = awards.Origin(names.GAME, table.game.pk, table.game.key, table.game.program_id)
    return play_id, awards.write(origin, won, [awards.Win(play_id, play.customer_id, now)], now=now)


def _won(table: Table, prize: dict[str, Any] | None, turn: Turn) -> list[tuple[int, dict[str, Any]]]:
    """What the play brings, as (place, prize)."""
    first = prize or table.document.consolation
    found = [(_PRIZE, first)] if first else []
    each = int(getattr(table.parameters, "points_each", 0))
    if each and turn.score:
        found.append((_POINTS, {"type": "points", "points": each * turn.score}))
    return found


def _played(table: Table, outcome: str, prize: str | None) -> Sql:
    return facts.ctes(
        "fact",
        "game.played",
        sql(
            "SELECT customer_id, played_at, id, jsonb_build_object('game', {key}::text, 'outcome', {outcome}::text,"
            " 'prize', {prize}::text) FROM played",
            key=table.game.key,
            outcome=outcome,
            prize=prize,
        ),
        ask=False,
    )


def _answered(table: Table, play: Written) -> Sql:
    """What a person said in a quiz, for the timeline: one property for each answer."""
    if table.part.style != QUESTIONS or play.detail is None:
        return Sql("")
    said = {f"answer_{key}": value for key, value in play.detail["answers"].items()}
    said |= {"game": table.game.key, "right": play.turn.score, "questions": play.detail["judged"]}
    fact = facts.ctes(
        "answered",
        "quiz.answered",
        sql("SELECT customer_id, played_at, id, {said}::jsonb FROM played", said=json.dumps(said)),
        ask=False,
    )
    return sql(", {fact}", fact=fact)


def _take(game_id: int, customer_id: int, key: str, per_person: int | None) -> int | None:
    """Take one out of the prize's stock; None when there is none left, or the person has had as many as one can.

    The row is locked until the play is written, so the last one is won once, however many play at this moment.
    """
    fair = Sql("TRUE")
    if per_person is not None:
        fair = sql(
            "(SELECT count(*) FROM game_play g WHERE g.customer_id = {customer} AND g.game_id = {game}"
            " AND g.prize_id = p.id) < {most}",
            customer=customer_id,
            game=game_id,
            most=per_person,
        )
    rows = fetch(
        sql(
            "UPDATE game_prize p SET won = won + 1 WHERE game_id = {game} AND key = {key}"
            " AND (stock IS NULL OR won < stock) AND {fair} RETURNING id",
            game=game_id,
            key=key,
            fair=fair,
        )
    )
    return rows[0][0] if rows else None


def told(table: Table, play_id: int, customer_id: int, now: datetime, *, repeated: bool) -> Played:
    """What came of a play that is written."""
    outcome, prize_key, score, detail = fetch(
        sql(
            "SELECT y.outcome, p.key, y.score, y.detail::text FROM game_play y"
            " LEFT JOIN game_prize p ON p.id = y.prize_id WHERE y.id = {id}",
            id=play_id,
        )
    )[0]
    given = fetch(
        sql(
            "SELECT prize::text, reference FROM prize_award WHERE origin = {origin} AND ref = {id} ORDER BY place",
            origin=names.GAME,
            id=play_id,
        )
    )
    won = next((one for one in table.document.prizes if one.key == prize_key), None)
    return Played(
        play_id=play_id,
        outcome=outcome,
        prize_key=prize_key,
        prize=dict(won.name) if won else None,
        sentence=", ".join(sentence(json.loads(prize)) for prize, _ in given),
        reference=next((reference for _, reference in given if reference), None),
        plays_left=plays_left(table, customer_id, now),
        repeated=repeated,
        score=score,
        detail=json.loads(detail) if detail else {},
    )
