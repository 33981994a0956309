"""Reads what the admin shows of a challenge, a stamp card or a game: sums over all people, each by a few queries."""

from datetime import datetime, timedelta
from typing import Any

from loyalty.kit.admin import localized
from loyalty.kit.sql import Sql, fetch, fetch_values, sql
from loyalty.play.days import zone_of
from loyalty.play.models import Badge, Challenge, Game, StampCard

DAYS = 30
LIST = 25


def per_day(
    table: str, column: str, where: str, owner_id: int, program_id: int | None, now: datetime
) -> dict[str, int]:
    """How many rows each of the last days has, by day; `where` is the column that holds the owner."""
    zone = zone_of(program_id)
    query = (
        "SELECT to_char(d.day, 'YYYY-MM-DD'), coalesce(n.count, 0) FROM generate_series("
        " ({since}::timestamptz AT TIME ZONE {zone})::date, ({now}::timestamptz AT TIME ZONE {zone})::date,"
        " '1 day') d (day)"
        f" LEFT JOIN (SELECT ({column} AT TIME ZONE {{zone}})::date AS day, count(*) FROM {table}"
        f" WHERE {where} = {{owner}} AND {column} >= {{since}} GROUP BY 1) n ON n.day = d.day ORDER BY 1"
    )
    return dict(fetch(sql(query, since=now - timedelta(days=DAYS), now=now, zone=zone, owner=owner_id)))


def of_challenge(challenge: Challenge) -> dict[str, Any]:
    """States with counts, and how far those are who are at it (ten steps of the target)."""
    states = dict(
        fetch(sql("SELECT state, count(*) FROM challenge_run WHERE challenge_id = {id} GROUP BY 1", id=challenge.pk))
    )
    shares = dict(
        fetch(
            sql(
                "SELECT least(9, floor(progress / target * 10))::int, count(*) FROM challenge_run"
                " WHERE challenge_id = {id} AND state = 'open' GROUP BY 1",
                id=challenge.pk,
            )
        )
    )
    return {"states": states, "steps": [shares.get(step, 0) for step in range(10)]}


def of_card(card: StampCard) -> dict[str, Any]:
    """States with counts, and how many open sheets have how many stamps."""
    states = dict(fetch(sql("SELECT state, count(*) FROM stamp_sheet WHERE card_id = {id} GROUP BY 1", id=card.pk)))
    stamps = fetch(
        sql(
            "SELECT stamps, count(*) FROM stamp_sheet WHERE card_id = {id} AND state = 'open' GROUP BY 1 ORDER BY 1",
            id=card.pk,
        )
    )
    return {"states": states, "stamps": stamps}


def of_game(game: Game) -> dict[str, Any]:
    """Players, outcomes, prizes with what is left."""
    outcomes = dict(fetch(sql("SELECT outcome, count(*) FROM game_play WHERE game_id = {id} GROUP BY 1", id=game.pk)))
    players = fetch(sql("SELECT count(*) FROM game_player WHERE game_id = {id} AND plays > 0", id=game.pk))[0][0]
    prizes = fetch_values(
        sql(
            "SELECT key, stock, won, stock - won AS left FROM game_prize WHERE game_id = {id} ORDER BY position",
            id=game.pk,
        )
    )
    return {"outcomes": outcomes, "players": players, "plays": sum(outcomes.values()), "prizes": prizes}


def winners(origin: str, origin_id: int, *, limit: int | None = LIST) -> list[dict[str, Any]]:
    """The log of winners, newest first: who, what, when, whether it was handed over."""
    return fetch_values(
        sql(
            "SELECT a.id, a.customer_id, c.external_id, a.prize, a.state, a.reason, a.created_at, a.given_at, a.ref"
            " FROM prize_award a LEFT JOIN customer c ON c.id = a.customer_id"
            " WHERE a.origin = {origin} AND a.origin_id = {id} ORDER BY a.id DESC LIMIT {limit}::bigint",
            origin=origin,
            id=origin_id,
            limit=limit,
        )
    )


def of_badge(badge: Badge, starts: list[int]) -> tuple[int, list[int]]:
    """How many people have it, and how many of them stand at each level, which begin at so many times."""
    ends = [*starts[1:], 2**31 - 1]
    parts = [
        sql("count(*) FILTER (WHERE times >= {start} AND times < {end})", start=start, end=end)
        for start, end in zip(starts, ends, strict=False)
    ]
    row = fetch(
        sql(
            "SELECT {counts} FROM customer_badge WHERE badge_id = {id}",
            counts=Sql(", ").join([Sql("count(*)"), *parts]),
            id=badge.pk,
        )
    )[0]
    return row[0], list(row[1:])


def answers_of(game: Game, parameters: Any) -> list[dict[str, Any]]:
    """What people answered: each question with its answers, and how often each was given."""
    counts = {
        (question, answer): count
        for question, answer, count in fetch(
            sql(
                "SELECT a.key, a.value, count(*) FROM game_play y CROSS JOIN LATERAL jsonb_each_text(y.detail"
                " -> 'answers') a WHERE y.game_id = {id} AND y.detail IS NOT NULL GROUP BY 1, 2",
                id=game.pk,
            )
        )
    }
    return [
        {
            "text": localized(question.text, question.key),
            "answers": [
                {
                    "text": localized(answer.text, answer.key),
                    "right": answer.right,
                    "count": counts.get((question.key, answer.key), 0),
                }
                for answer in question.answers
            ],
        }
        for question in parameters.questions
    ]
