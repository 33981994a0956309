"""A round of memory, card by card. The play is taken with the first card, and written when the round is over."""

import json
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from loyalty.events import partitions
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.play import awards, draws, memories, people
from loyalty.play.admission import Player, closed, pay, refuse, sit_down
from loyalty.play.drawing import Played, Written, draw, told
from loyalty.play.game_part import CARDS, Turn
from loyalty.play.signs import sign_of
from loyalty.play.tables import Table, open_table


@dataclass(frozen=True, slots=True)
class Card:
    """A card as the person sees it: `state` closed, open or found; sign and name only where it is not closed."""

    number: int
    state: str
    sign: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A round as the person sees it. `played` is what came of it, when it is over."""

    cards: list[Card]
    moves: int
    moves_left: int
    turned: int | None = None
    played: Played | None = None


def turn(key: str, *, customer_id: int, card: int, now: datetime, of_age: bool = False) -> Shown:
    """Turn a card (counted from 1); the first one takes a play. Raises Problems, and then nothing was turned."""
    table = open_table(key)
    if table.part.style != CARDS:
        raise Problems([Problem("game", "has no cards", "play it instead")])
    play_id, award_ids = 0, list[int]()
    with transaction.atomic():
        if not people.lock([customer_id]):
            raise Problems([Problem("customer", "was forgotten or joined with another just now")])
        player = sit_down(table.game.pk, customer_id)
        nonce, free, before = _sit_at(table, player, customer_id, now, of_age)
        cards = _cards(table, nonce)
        after = memories.turned(before, cards, card - 1)
        over = memories.over(after, table.parameters)
        if over:
            partitions.ensure(now, now)
            execute(
                sql(
                    "DELETE FROM game_round WHERE customer_id = {customer} AND game_id = {game}",
                    customer=customer_id,
                    game=table.game.pk,
                )
            )
            score = memories.score(after, table.parameters)
            detail = {"moves": after.moves, "pairs": len(after.found) // 2}
            written = Written(customer_id, player.plays + 1, free, Turn(score=score), detail)
            play_id, award_ids = draw(table, written, now)
        else:
            _keep(table, customer_id, after, now)
    if award_ids:
        awards.give_due(now=now, ids=award_ids)
    played = told(table, play_id, customer_id, now, repeated=False) if over else None
    return _shown(table, cards, after, turned=card, played=played)


def _sit_at(
    table: Table, player: Player, customer_id: int, now: datetime, of_age: bool
) -> tuple[str, bool, memories.Round]:
    """The round that is under way, or a new one that is paid for: its nonce, whether it was free, how it stands."""
    rows = fetch(
        sql(
            "SELECT nonce, free, progress::text FROM game_round WHERE customer_id = {customer} AND game_id = {game}",
            customer=customer_id,
            game=table.game.pk,
        )
    )
    if rows:
        if problems := closed(table, now):
            raise Problems(problems)
        return rows[0][0], rows[0][1], memories.Round.of(json.loads(rows[0][2]))
    refuse(table, player, customer_id, now=now, door=None, of_age=of_age, more=[])
    free, nonce = pay(table, player, customer_id, now), f"{draws.nonce(customer_id, player.plays + 1)}-cards"
    execute(
        sql(
            "INSERT INTO game_round (customer_id, game_id, nonce, free, progress, started_at, moved_at)"
            " VALUES ({customer}, {game}, {nonce}, {free}, '{{}}', {now}, {now})",
            customer=customer_id,
            game=table.game.pk,
            nonce=nonce,
            free=free,
            now=now,
        )
    )
    return nonce, free, memories.Round()


def _keep(table: Table, customer_id: int, after: memories.Round, now: datetime) -> None:
    execute(
        sql(
            "UPDATE game_round SET progress = {progress}::jsonb, moved_at = {now}"
            " WHERE customer_id = {customer} AND game_id = {game}",
            progress=json.dumps(after.progress()),
            now=now,
            customer=customer_id,
            game=table.game.pk,
        )
    )


def _cards(table: Table, nonce: str) -> list[int]:
    pairs = table.parameters.pairs
    return memories.layout(pairs, draws.shuffled(table.secret, nonce, pairs * 2))


def _shown(
    table: Table, cards: list[int], stand: memories.Round, *, turned: int | None = None, played: Played | None = None
) -> Shown:
    seen = stand.seen()
    shown = []
    for place, picture in enumerate(cards):
        if place not in seen:
            shown.append(Card(place + 1, "closed"))
        else:
            state = "found" if place in stand.found else "open"
            shown.append(Card(place + 1, state, *sign_of(table.parameters, picture)))
    return Shown(shown, stand.moves, table.parameters.most - stand.moves, turned, played)


def under_way(table: Table, customer_id: int) -> Shown | None:
    """The round that the person is at."""
    rows = fetch(
        sql(
            "SELECT nonce, progress::text FROM game_round WHERE customer_id = {customer} AND game_id = {game}",
            customer=customer_id,
            game=table.game.pk,
        )
    )
    if not rows:
        return None
    return _shown(table, _cards(table, rows[0][0]), memories.Round.of(json.loads(rows[0][1])))
