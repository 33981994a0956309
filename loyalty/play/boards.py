"""Leaderboards: people who want to stand on them, under a nickname of their own, counted from the timeline."""

import re
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models import TextField, Value
from django.db.models.functions import Cast, Concat

from loyalty.events import types
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.play import measures, people
from loyalty.play.contests import Leaderboard, LeaderboardEntry
from loyalty.play.days import zone_of
from loyalty.play.definition import LeaderboardDocument

SHORTEST, LONGEST = 2, 20
# Letters of any language, digits, and what stands between them: nothing that could be an address.
_NICKNAME = re.compile(r"[^\W_](?:[\w '’-]*[\w])?", re.UNICODE)
# How the entry of somebody begins who left while hidden; no nickname can.
EMPTY = "-"

# One probe of each person's own events since the period began; OFFSET 0 leaves the planner only the customer to search
# by.
_COUNT = """UPDATE leaderboard_entry e SET score = q.total, reached_at = q.last, period_at = {period} FROM (
    SELECT e.id, least(coalesce(s.total, 0), 999999999999)::numeric(14, 2) AS total, s.last
    FROM leaderboard_entry e CROSS JOIN LATERAL (
        SELECT {total} AS total, max(v.occurred_at) AS last FROM (
            SELECT v.id, v.type_id, v.occurred_at, v.properties FROM event v WHERE v.customer_id = e.customer_id
                AND v.occurred_at >= {since} AND v.occurred_at < {until} OFFSET 0
        ) v WHERE v.type_id = {type} AND {fits}
    ) s WHERE e.board_id = {board} AND e.customer_id = ANY({people}::bigint[]) AND left(e.nickname, 1) <> '-'
    ORDER BY e.id
) q WHERE e.id = q.id AND (e.score, e.reached_at, e.period_at) IS DISTINCT FROM (q.total, q.last, {period})"""


def document_of(board: Leaderboard) -> LeaderboardDocument:
    """The board's document."""
    return LeaderboardDocument.model_validate(board.definition)


def period_at(document: LeaderboardDocument, now: datetime, zone: str) -> datetime:
    """When the period that is now began."""
    if document.window == "ever":
        return datetime(2000, 1, 1, tzinfo=UTC)
    today = now.astimezone(ZoneInfo(zone)).date()
    first = {
        "day": today,
        "week": today - timedelta(days=today.weekday()),
        "month": today.replace(day=1),
        "year": today.replace(month=1, day=1),
    }[document.window]
    return _midnight(first, zone)


def _midnight(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))


def count(board: Leaderboard, customer_ids: Collection[int], *, now: datetime) -> int:
    """Count anew what these people have in the period; how many entries changed."""
    document, zone = document_of(board), zone_of(board.program_id)
    period = period_at(document, now, zone)
    since = max(period, _midnight(document.start, zone)) if document.start else period
    until = now + timedelta(days=1)
    if document.end:
        until = min(until, _midnight(document.end + timedelta(days=1), zone))
    return execute(
        sql(
            _COUNT,
            period=period,
            total=measures.total(document.measure, "v", zone),
            since=since,
            until=until,
            type=types.type_id(document.event),
            fits=measures.fits(document, "v"),
            board=board.pk,
            people=sorted(customer_ids),
        )
    )


def nickname_problems(nickname: str) -> list[Problem]:
    """What is wrong with a nickname."""
    if not SHORTEST <= len(nickname) <= LONGEST:
        return [Problem("nickname", "is too short or too long", f"take {SHORTEST} to {LONGEST} characters")]
    if not _NICKNAME.fullmatch(nickname):
        return [Problem("nickname", "has characters that are not allowed", "take letters, digits, spaces and hyphens")]
    return []


def join(key: str, *, customer_id: int, nickname: str, now: datetime) -> None:
    """Put a person onto a board, or give the person another nickname; who was hidden stays so until somebody has
    looked. Raises Problems."""
    board = _board(key)
    nickname = " ".join(nickname.split())
    problems = nickname_problems(nickname)
    document = document_of(board)
    today = now.astimezone(ZoneInfo(zone_of(board.program_id))).date()
    if board.state != "active" or not (document.start or today) <= today <= (document.end or today):
        problems.append(Problem("leaderboard", "is paused, over, or has not begun", "look at its state and its days"))
    may = people.may_take_part(sql("{id}::bigint", id=customer_id), board.program_id, document.audience)
    if not fetch(sql("SELECT {may}", may=may))[0][0]:
        problems.append(Problem("customer", "is no member of those who can take part", "let the customer join first"))
    if problems:
        raise Problems(problems)
    with transaction.atomic():
        if not people.lock([customer_id]):
            raise Problems([Problem("customer", "was forgotten or joined with another just now")])
        try:
            with transaction.atomic():
                LeaderboardEntry.objects.update_or_create(
                    board_id=board.pk,
                    customer_id=customer_id,
                    defaults={"nickname": nickname},
                    create_defaults={
                        "nickname": nickname,
                        "joined_at": now,
                        "period_at": period_at(document, now, zone_of(board.program_id)),
                    },
                )
        except IntegrityError:
            raise Problems([Problem("nickname", "is taken", "choose another one")]) from None
        count(board, [customer_id], now=now)


def leave(key: str, *, customer_id: int) -> bool:
    """Take a person off a board; whether the person was on it. Who was hidden leaves an empty entry, so that coming
    back shows nothing before somebody has looked."""
    entry = LeaderboardEntry.objects.filter(board_id=_board(key).pk, customer_id=customer_id)
    emptied = entry.filter(hidden=True).update(
        nickname=Concat(Value(EMPTY), Cast("id", TextField())), score=0, reached_at=None
    )
    return bool(emptied or entry.delete()[0])


def hide(entry_id: int, *, hidden: bool, by: str) -> None:
    """Take a nickname out of sight, or show it again."""
    LeaderboardEntry.objects.filter(pk=entry_id).update(hidden=hidden, hidden_by=by if hidden else None)


def _board(key: str) -> Leaderboard:
    board = Leaderboard.objects.filter(key=key).first()
    if board is None:
        raise Problems([Problem("leaderboard", f"there is no leaderboard {key!r}")])
    return board
