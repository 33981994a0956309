"""Plays are given: for events, as a prize, by hand; once for each key."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from loyalty.kit.sql import Sql, execute, fetch, sql
from loyalty.play import people, sources
from loyalty.play.days import between, zone_of
from loyalty.play.game_part import read
from loyalty.play.models import Game

_GIVE = """WITH new AS (
    INSERT INTO game_ticket (game_id, customer_id, plays, at, key_digest, source, actor)
    SELECT {game}::int, r.customer_id, r.plays, r.at, r.key, {source}, {actor}::text
    FROM ({rows}) AS r (customer_id, plays, at, key) ORDER BY r.key
    ON CONFLICT (key_digest) DO NOTHING RETURNING customer_id, plays
), given AS (
    INSERT INTO game_player (customer_id, game_id, earned)
    SELECT customer_id, {game}::int, sum(plays)::int FROM new GROUP BY customer_id ORDER BY customer_id
    ON CONFLICT (customer_id, game_id) DO UPDATE SET earned = game_player.earned + excluded.earned
) SELECT customer_id, sum(plays) FROM new GROUP BY customer_id"""


@dataclass(frozen=True, slots=True)
class Given:
    """Plays for a customer; `key` makes it happen once."""

    customer_id: int
    plays: int
    key: UUID


def give(game: Game, given: Sequence[Given], *, source: str, now: datetime, actor: str | None = None) -> dict[int, int]:
    """Give plays to any number of people; plays by customer, without those whose key was used before."""
    if not given:
        return {}
    with transaction.atomic():
        known = people.lock({one.customer_id for one in given})
        ready = [one for one in given if one.customer_id in known]
        rows = sql(
            "SELECT u.customer_id, u.plays, {now}::timestamptz, u.key"
            " FROM unnest({customers}::bigint[], {plays}::int[], {keys}::uuid[]) AS u (customer_id, plays, key)",
            now=now,
            customers=[one.customer_id for one in ready],
            plays=[one.plays for one in ready],
            keys=[one.key for one in ready],
        )
        return _put(game, rows, source, actor)


def _put(game: Game, rows: Sql, source: str, actor: str | None = None) -> dict[int, int]:
    return dict(fetch(sql(_GIVE, game=game.pk, rows=rows, source=source[:200], actor=actor)))


def from_events(game: Game, *, now: datetime) -> int:
    """Give the plays that the taken events earn; how many people got any. Their customers are locked."""
    document, part, parameters = read(game.definition)
    zone = zone_of(game.program_id)
    done: set[int] = set()
    for source in part.earn(parameters):
        label = f"event:{source.event}"
        found = sources.granted(
            source,
            label=label,
            table="game_ticket",
            owner=sql("s.game_id = {id}", id=game.pk),
            audience=sql(
                "{audience} AND {time}",
                audience=people.may_take_part(Sql("t.customer_id"), game.program_id, document.audience),
                time=between(document.start, document.end, Sql("t.occurred_at"), zone),
            ),
            zone=zone,
        )
        rows = sql(
            "SELECT customer_id, granted, occurred_at,"
            " md5('ticket:' || {game} || ':' || {label} || ':' || event_id)::uuid FROM ({found}) e",
            game=game.pk,
            label=label,
            found=found,
        )
        done |= _put(game, rows, label).keys()
    return len(done)


def use_one(game_id: int, customer_id: int) -> bool:
    """Take one of the plays that the locked player was given; whether there was one."""
    return bool(
        execute(
            sql(
                "UPDATE game_player SET used = used + 1 WHERE game_id = {game} AND customer_id = {customer}"
                " AND used < earned",
                game=game_id,
                customer=customer_id,
            )
        )
    )
