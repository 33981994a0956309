"""Counts of the outbox for people who look: bounded, so that a page stays fast when the outbox has grown to
millions."""

from dataclasses import dataclass, field
from datetime import datetime

from loyalty.kit.sql import fetch, sql

# Looking at this many hand-overs with their messages takes about 0.1 s.
TAIL = 50_000


@dataclass(frozen=True, slots=True)
class Today:
    """Hand-overs of one sender by outcome ('' while open); `more` when only the newest TAIL of all could be counted."""

    outcomes: dict[str, int] = field(default_factory=dict)
    more: bool = False


def handed_over(sender_id: int, *, since: datetime) -> Today:
    """What became of the sender's hand-overs since that instant, read from the newest end of all attempts."""
    rows = fetch(
        sql(
            """WITH tail AS MATERIALIZED (
                SELECT a.message_id, a.outcome, a.started_at FROM message_attempt a ORDER BY a.id DESC LIMIT {tail}
            )
            SELECT coalesce(t.outcome, ''), count(*), (SELECT count(*) = {tail} AND min(started_at) >= {since} FROM
            tail) FROM tail t JOIN message m ON m.id = t.message_id JOIN dispatch d ON d.id = m.dispatch_id
            WHERE t.started_at >= {since} AND d.sender_id = {sender} GROUP BY 1""",
            tail=TAIL,
            since=since,
            sender=sender_id,
        )
    )
    return Today({outcome: count for outcome, count, _more in rows}, any(more for _outcome, _count, more in rows))
