"""People, events and documents of a small fair, for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from loyalty.events import operations as events
from loyalty.kit.applying import apply_documents
from loyalty.kit.sql import execute, fetch, sql
from loyalty.play import awards
from loyalty.play.follow import follow

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
PROGRAM: dict[str, Any] = {
    "kind": "program",
    "key": "club",
    "timezone": "Europe/Berlin",
    "purchase_event": "sale",
    "wallets": [{"key": "points"}],
}
POINTS: dict[str, Any] = {"type": "points", "points": 50}
GAME: dict[str, Any] = {
    "kind": "game",
    "key": "summer",
    "type": "scratch_card",
    "name": {"en": "Summer", "de": "Sommer"},
    "from": "2026-03-01",
    "to": "2026-03-31",
    "age": 0,
    "free": {"max": 2, "per": "day"},
    "organizer": {"name": "Shop", "address": "Weg 1, Berlin", "contact": "game@shop.example"},
    "prizes": [{"key": "all", "name": "Fifty", "odds": 1, "prize": POINTS}],
}


def applied(*documents: dict[str, Any], now: datetime = NOW) -> None:
    """The program and these documents, applied."""
    apply_documents([PROGRAM, *documents], now=now)


def member(external_id: str, *, joined: bool = True, **columns: Any) -> int:
    """A customer who is a member; the id."""
    row = {"birth_date": None, **columns}
    customer_id = fetch(
        sql(
            "INSERT INTO customer (external_id, birth_date, created_at, updated_at)"
            " VALUES ({external_id}, {birth_date}::date, {now}, {now}) RETURNING id",
            external_id=external_id,
            now=NOW,
            **row,
        )
    )[0][0]
    if joined:
        execute(
            sql(
                "WITH m AS (INSERT INTO member (program_id, customer_id, state, joined_at)"
                " SELECT id, {customer}, 'active', {now} FROM program RETURNING id, program_id)"
                " INSERT INTO member_balance (member_id, wallet_id)"
                " SELECT m.id, w.id FROM m JOIN wallet w ON w.program_id = m.program_id",
                customer=customer_id,
                now=NOW,
            )
        )
    return customer_id


def happened(name: str, who: str, at: datetime = NOW, **properties: Any) -> None:
    """One event, taken in."""
    row = {"name": name, "customer": who, "occurred_at": at.isoformat(), "properties": properties}
    done = events.intake(events=[row], now=max(at, NOW), source="test")
    assert (done.accepted, done.rejected) == (1, [])


def followed(now: datetime = NOW) -> None:
    """Count what happened, and hand over what was won."""
    while follow(now=now):
        pass
    while awards.give_due(now=now):
        pass


def days(number: float) -> datetime:
    return NOW + timedelta(days=number)


def points(customer_id: int) -> int:
    return fetch(
        sql(
            "SELECT coalesce(sum(b.active), 0)::int FROM member m JOIN member_balance b ON b.member_id = m.id"
            " WHERE m.customer_id = {c}",
            c=customer_id,
        )
    )[0][0]


def violations() -> dict[str, int]:
    """Invariants of this package and of the ledger that do not hold."""
    from loyalty.kit.checks import invariants, verdict

    found = [verdict(one) for one in invariants() if one.key.startswith(("play.", "program."))]
    assert found
    return {one.key: one.violations or -1 for one in found if not one.holds}
