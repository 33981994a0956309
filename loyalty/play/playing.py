"""One play of a game: the person's right to play, the draw, the prize, all in one transaction."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import md5
from uuid import UUID

from django.db import transaction

from loyalty.events import partitions
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql
from loyalty.play import awards, draws, people, quizzes
from loyalty.play.admission import Player, pay, refuse, sit_down
from loyalty.play.drawing import Played, Written, draw, told
from loyalty.play.game_part import CARDS, QUESTIONS, TICKETS, Turn
from loyalty.play.tables import Table, open_table


def play(
    key: str,
    *,
    customer_id: int,
    now: datetime,
    door: int | None = None,
    answers: Mapping[str, str] | None = None,
    request_id: str | None = None,
    of_age: bool = False,
) -> Played:
    """Play once. `door` is needed by an advent calendar, `answers` (by question) by a quiz; `request_id` makes a
    repeated call harmless; `of_age` is the person's declaration. Raises Problems with all that stands against it, and
    then nothing was drawn."""
    table = open_table(key)
    digest = None
    if request_id is not None:
        text = f"play:{table.game.pk}:{customer_id}:{request_id}"
        digest = UUID(md5(text.encode(), usedforsecurity=False).hexdigest())
    with transaction.atomic():
        if not people.lock([customer_id]):
            raise Problems([Problem("customer", "was forgotten or joined with another just now")])
        player = sit_down(table.game.pk, customer_id)
        found = _earlier(digest)
        play_id, award_ids = found or 0, list[int]()
        if found is None:
            judged, problems = _judge(table, customer_id, player, answers)
            refuse(table, player, customer_id, now=now, door=door, of_age=of_age, more=problems)
            partitions.ensure(now, now)
            free = pay(table, player, customer_id, now)
            turn = Turn(door=door, score=judged.right if judged else None)
            detail = judged.detail() if judged else None
            written = Written(customer_id, player.plays + 1, free, turn, detail, digest)
            play_id, award_ids = draw(table, written, now)
    if award_ids:
        # By itself: what is won stays won when handing it over fails now, and comes later.
        awards.give_due(now=now, ids=award_ids)
    return told(table, play_id, customer_id, now, repeated=found is not None)


def _earlier(digest: UUID | None) -> int | None:
    if digest is None:
        return None
    rows = fetch(sql("SELECT id FROM game_play WHERE key_digest = {digest}", digest=digest))
    return rows[0][0] if rows else None


def questions_of(table: Table, customer_id: int, plays: int) -> list[quizzes.Question]:
    """The questions of the person's next play, after so many; the same ones until it is played."""
    nonce = f"{draws.nonce(customer_id, plays + 1)}-questions"
    order = draws.shuffled(table.secret, nonce, len(table.parameters.questions))
    return quizzes.asked(table.parameters, order)


def _judge(
    table: Table, customer_id: int, player: Player, answers: Mapping[str, str] | None
) -> tuple[quizzes.Judged | None, list[Problem]]:
    """The answers of a quiz, and what is wrong with this way of playing."""
    if table.part.style == QUESTIONS:
        return quizzes.judge(questions_of(table, customer_id, player.plays), answers or {})
    if answers:
        return None, [Problem("answers", "nothing is asked in this game", "leave them out")]
    if table.part.style == CARDS:
        return None, [Problem("game", "is played card by card", "turn a card instead")]
    if table.part.style == TICKETS and _drawn(table):
        return None, [Problem("game", "was drawn already")]
    return None, []


def _drawn(table: Table) -> bool:
    """Whether the tickets were drawn; until this transaction ends they are not."""
    query = sql("SELECT drawn_at IS NOT NULL FROM game WHERE id = {id} FOR SHARE", id=table.game.pk)
    return bool(fetch(query)[0][0])
