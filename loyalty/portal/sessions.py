"""Browsers in which members are signed in: a random secret in a cookie, of which only the hash is kept."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from loyalty.kit.sql import execute, fetch, sql

# Who has not been here for a month signs in again.
LASTS = timedelta(days=30)
# How often a visit is noted, which also moves the end.
NOTED_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Signed:
    """A browser that is signed in."""

    session_id: int
    customer_id: int


def begin(customer_id: int, *, user_agent: str | None, now: datetime) -> str:
    """Sign a browser in; the secret for its cookie."""
    secret = secrets.token_urlsafe(32)
    execute(
        sql(
            "INSERT INTO member_session (digest, customer_id, started_at, seen_at, expires_at, user_agent)"
            " VALUES ({digest}, {customer}, {now}, {now}, {ends}, {agent})",
            digest=_digest(secret),
            customer=customer_id,
            now=now,
            ends=now + LASTS,
            agent=user_agent,
        )
    )
    return secret


def find(secret: str, *, now: datetime) -> Signed | None:
    """Who is signed in with this cookie; notes the visit now and then."""
    rows = fetch(
        sql(
            "SELECT s.id, s.customer_id, s.seen_at FROM member_session s JOIN customer c ON c.id = s.customer_id"
            " WHERE s.digest = {digest} AND s.expires_at > {now}",
            digest=_digest(secret),
            now=now,
        )
    )
    if not rows:
        return None
    session_id, customer_id, seen_at = rows[0]
    if seen_at < now - NOTED_EVERY:
        execute(
            sql(
                "UPDATE member_session SET seen_at = {now}, expires_at = {ends} WHERE id = {id}",
                now=now,
                ends=now + LASTS,
                id=session_id,
            )
        )
    return Signed(session_id, customer_id)


def end(session_id: int) -> None:
    """Sign one browser out."""
    execute(sql("DELETE FROM member_session WHERE id = {id}", id=session_id))


def end_all(customer_id: int) -> int:
    """Sign the person out everywhere; how many browsers."""
    return execute(sql("DELETE FROM member_session WHERE customer_id = {id}", id=customer_id))


def count(customer_id: int, *, now: datetime) -> int:
    """In how many browsers the person is signed in."""
    query = sql(
        "SELECT count(*) FROM member_session WHERE customer_id = {id} AND expires_at > {now}", id=customer_id, now=now
    )
    return int(fetch(query)[0][0])


def forget_old(*, now: datetime, limit: int) -> int:
    """Delete sessions that are over; how many."""
    return execute(
        sql(
            "DELETE FROM member_session WHERE id IN (SELECT id FROM member_session WHERE expires_at <= {now}"
            " ORDER BY expires_at LIMIT {limit} FOR UPDATE SKIP LOCKED)",
            now=now,
            limit=limit,
        )
    )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
