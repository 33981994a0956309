"""Tickets of a prize draw are drawn: all at once, by one statement, at the instant that was announced."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction

from loyalty.events import partitions
from loyalty.kit.sql import execute, fetch, sql
from loyalty.play import awards, draws, names
from loyalty.play.game_part import TICKETS, game_parts
from loyalty.play.models import Game
from loyalty.play.tables import Table, table_of

# HMAC-SHA-256 out of the database's SHA-256; the first 52 bits as a fraction of one, as `draws.draw` does it.
_DRAW = (
    "(('x' || left(encode(sha256({outer}::bytea || sha256({inner}::bytea || convert_to('ticket-' || y.id, 'UTF8'))),"
    " 'hex'), 13))::bit(52)::bigint::float8 / 4503599627370496)"
)
# Each person's best ticket stands in line; the first in line get the first prize, and so on down the stocks.
_HOLD = """WITH entry AS MATERIALIZED (
    SELECT y.id, y.customer_id, {draw} AS draw FROM game_play y WHERE y.game_id = {game} AND y.outcome = 'entered'
), best AS (
    SELECT DISTINCT ON (customer_id) id, draw FROM entry WHERE customer_id IS NOT NULL ORDER BY customer_id, draw, id
), line AS (
    SELECT id, row_number() OVER (ORDER BY draw, id) AS place FROM best
), share AS (
    SELECT id, stock, sum(stock) OVER (ORDER BY position) AS upto FROM game_prize WHERE game_id = {game}
), drawn AS (
    UPDATE game_play y SET draw = e.draw, prize_id = s.id,
        outcome = CASE WHEN s.id IS NOT NULL THEN 'won' WHEN {consoled} AND l.id IS NOT NULL THEN 'consolation'
            ELSE 'nothing' END
    FROM entry e LEFT JOIN line l ON l.id = e.id LEFT JOIN share s ON l.place > s.upto - s.stock AND l.place <= s.upto
    WHERE y.id = e.id RETURNING y.id, y.customer_id, y.prize_id, y.outcome
), taken AS (
    UPDATE game_prize p SET won = p.won + d.count
    FROM (SELECT prize_id, count(*) AS count FROM drawn WHERE prize_id IS NOT NULL GROUP BY 1) d WHERE p.id = d.prize_id
) SELECT id, customer_id, prize_id FROM drawn WHERE outcome <> 'nothing' ORDER BY id"""


def due(*, now: datetime) -> list[int]:
    """The games whose tickets are to be drawn now."""
    types = [key for key, part in game_parts.items() if part.style == TICKETS]
    games = Game.objects.filter(state="active", drawn_at=None, type__in=types).order_by("id")
    return [game.pk for game in games if moment_of(table_of(game)) <= now]


def moment_of(table: Table) -> datetime:
    """When the tickets are drawn."""
    at: datetime = table.parameters.draw_at
    return at.replace(tzinfo=ZoneInfo(table.zone))


@transaction.atomic
def hold(game_id: int, *, now: datetime) -> int | None:
    """Draw the tickets of a game; how many won something. None where somebody else draws them, or has."""
    rows = fetch(sql("SELECT id FROM game WHERE id = {id} AND drawn_at IS NULL FOR UPDATE SKIP LOCKED", id=game_id))
    if not rows:
        return None
    table = table_of(Game.objects.get(pk=game_id))
    partitions.ensure(now, now)
    inner, outer = draws.pads(table.secret)
    draw = sql(_DRAW, inner=inner, outer=outer)
    won = fetch(sql(_HOLD, draw=draw, game=game_id, consoled=table.document.consolation is not None))
    keys = dict(fetch(sql("SELECT id, key FROM game_prize WHERE game_id = {id}", id=game_id)))
    prizes = {one.key: one.prize for one in table.document.prizes}
    origin = awards.Origin(names.GAME, game_id, table.game.key, table.game.program_id)
    for prize_id in {row[2] for row in won}:
        prize = prizes[keys[prize_id]] if prize_id else table.document.consolation
        wins = [awards.Win(play_id, customer_id, now) for play_id, customer_id, of in won if of == prize_id]
        awards.write(origin, [(0, prize or {})], wins, now=now)
    execute(sql("UPDATE game SET drawn_at = {now} WHERE id = {id}", now=now, id=game_id))
    return len(won)


def winners(game_id: int, *, limit: int = 500) -> list[tuple[int, str]]:
    """The winning tickets as (number, key of the prize), in the order of the prizes; nobody's name."""
    query = sql(
        "SELECT y.id, p.key FROM game_play y JOIN game_prize p ON p.id = y.prize_id WHERE y.game_id = {id}"
        " ORDER BY p.position, y.draw, y.id LIMIT {limit}",
        id=game_id,
        limit=limit,
    )
    return [(number, key) for number, key in fetch(query)]
