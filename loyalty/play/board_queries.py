"""Reads leaderboards: the first ones, and where a person stands."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.kit.sql import Sql, fetch_values, sql
from loyalty.play import people
from loyalty.play.boards import document_of, period_at
from loyalty.play.contests import Leaderboard
from loyalty.play.days import zone_of
from loyalty.play.queries import is_on, of_program, seen_by, shown_of

_OF_ENTRY = Sql("e.customer_id")
_FIRST = """SELECT e.nickname, e.score, e.customer_id FROM leaderboard_entry e
WHERE e.board_id = {board} AND e.period_at = {period} AND e.score > 0 AND NOT e.hidden AND {active}
ORDER BY e.score DESC, e.reached_at, e.id LIMIT {size}"""
_OWN = """SELECT o.nickname, o.hidden, CASE WHEN o.period_at = {period} THEN o.score ELSE 0 END AS score,
    CASE WHEN o.period_at = {period} AND o.score > 0 AND NOT o.hidden THEN 1 + (
        SELECT count(*) FROM leaderboard_entry e WHERE e.board_id = o.board_id AND e.period_at = {period}
            AND NOT e.hidden AND e.score >= o.score AND {active}
            AND (e.score > o.score OR (e.reached_at, e.id) < (o.reached_at, o.id))) END AS rank
FROM leaderboard_entry o WHERE o.board_id = {board} AND o.customer_id = {customer}
    AND left(o.nickname, 1) <> '-'"""


def first_of(board: Leaderboard, *, now: datetime) -> list[dict[str, Any]]:
    """The first of the period: rank, nickname, score, customer_id."""
    document, zone = document_of(board), zone_of(board.program_id)
    query = sql(
        _FIRST,
        board=board.pk,
        period=period_at(document, now, zone),
        active=people.may_take_part(_OF_ENTRY, board.program_id, document.audience),
        size=document.size,
    )
    return [row | {"rank": rank} for rank, row in enumerate(fetch_values(query), 1)]


def leaderboards(customer_id: int, *, now: datetime, program_id: int | None = None) -> list[dict[str, Any]]:
    """The boards this person sees.

    Each: key, name, description, image, window, rows [{rank, nickname, score, own}], me ({nickname, hidden, score,
    rank}; None for who is not on it), from, to.
    """
    rows = of_program(Leaderboard.objects.filter(state="active").order_by("key"), program_id)
    found = [(row, document_of(row)) for row in rows]
    visible = seen_by(found, customer_id)
    shown = []
    for row, document in found:
        zone = zone_of(row.program_id)
        if row.pk not in visible or not is_on(document, now.astimezone(ZoneInfo(zone)).date()):
            continue
        own = fetch_values(
            sql(
                _OWN,
                period=period_at(document, now, zone),
                board=row.pk,
                customer=customer_id,
                active=people.may_take_part(_OF_ENTRY, row.program_id, document.audience),
            )
        )
        shown.append(
            {
                **shown_of(document),
                "window": document.window,
                "from": document.start,
                "to": document.end,
                "rows": [
                    {"rank": one["rank"], "nickname": one["nickname"], "score": one["score"],
                     "own": one["customer_id"] == customer_id}
                    for one in first_of(row, now=now)
                ],
                "me": own[0] if own else None,
            }
        )  # fmt: skip
    return shown


def entries_of(board: Leaderboard, *, now: datetime, limit: int = 100) -> list[dict[str, Any]]:
    """Everybody on the board for those who look after it, hidden ones too: the best of the period first."""
    period = period_at(document_of(board), now, zone_of(board.program_id))
    return fetch_values(
        sql(
            "SELECT e.id, e.nickname, e.hidden, e.hidden_by, e.customer_id, c.external_id, e.joined_at,"
            " CASE WHEN e.period_at = {period} THEN e.score ELSE 0 END AS score FROM leaderboard_entry e"
            " LEFT JOIN customer c ON c.id = e.customer_id WHERE e.board_id = {board}"
            " AND left(e.nickname, 1) <> '-' ORDER BY (e.period_at = {period}) DESC, e.score DESC, e.reached_at, e.id"
            " LIMIT {limit}",
            period=period,
            board=board.pk,
            limit=limit,
        )
    )
