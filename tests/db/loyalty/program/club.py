"""A small program and its people, for tests."""

from datetime import UTC, datetime
from typing import Any

from loyalty.kit.applying import apply_documents
from loyalty.kit.sql import execute, fetch, sql
from loyalty.program import purchases, returns
from loyalty.program.setup import Setup, load

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
PROGRAM: dict[str, Any] = {
    "kind": "program",
    "key": "club",
    "name": {"en": "Club", "de": "Club"},
    "timezone": "Europe/Berlin",
    "wallets": [
        {"key": "points", "pending": "0s", "transfer_limit": 1000, "value": 0.01},
        {"key": "status", "spendable": False, "expiry": "never"},
    ],
}
BASE: dict[str, Any] = {"kind": "earning_rule", "key": "base", "type": "per_purchase", "points": 1}


def applied(*documents: dict[str, Any], **program: Any) -> Setup:
    """The program with these fields and the other documents, applied."""
    apply_documents([{**PROGRAM, **program}, *documents], now=NOW)
    return load()


def customer(external_id: str, **columns: Any) -> int:
    """A customer; the id."""
    row = {"external_id": external_id, "birth_date": None, **columns}
    return fetch(
        sql(
            "INSERT INTO customer (external_id, birth_date, created_at, updated_at)"
            " VALUES ({external_id}, {birth_date}::date, {now}, {now}) RETURNING id",
            now=NOW,
            **row,
        )
    )[0][0]


def buy(setup: Setup, identifier: str, who: str, amount: Any = None, *, now: datetime = NOW, **rest: Any) -> int:
    """Commit one purchase, which must be good; the booking."""
    row = {"id": identifier, "customer": who, **rest} | ({} if amount is None else {"amount": amount})
    done = purchases.commit(rows=[row], setup=setup, now=now)
    assert done.rejected == []
    booking_id = done.bookings[0]
    assert booking_id is not None
    return booking_id


def give_back(setup: Setup, identifier: str, transaction: str, items: list[Any] = [], now: datetime = NOW) -> int:  # noqa: B006
    """Commit one return, which must be good; the booking."""
    row = {"id": identifier, "transaction": transaction, "items": items}
    done = returns.give_back(rows=[row], setup=setup, now=now)
    assert done.rejected == []
    booking_id = done.bookings[0]
    assert booking_id is not None
    return booking_id


def member_of(who: str) -> int:
    """The member that a customer is."""
    query = sql("SELECT m.id FROM member m JOIN customer c ON c.id = m.customer_id WHERE c.external_id = {w}", w=who)
    return fetch(query)[0][0]


def balance(who: str, wallet: str = "points") -> tuple[int, int, int, int]:
    """(pending, active, locked, owed)."""
    return fetch(
        sql(
            "SELECT b.pending, b.active, b.locked, b.owed FROM member_balance b JOIN wallet w ON w.id = b.wallet_id"
            " JOIN member m ON m.id = b.member_id JOIN customer c ON c.id = m.customer_id"
            " WHERE c.external_id = {who} AND w.key = {wallet}",
            who=who,
            wallet=wallet,
        )
    )[0]


def facts_of(who: str, name: str) -> list[Any]:
    """The properties of these events of a customer, oldest first."""
    from loyalty.kit.sql import fetch_values

    rows = fetch_values(
        sql(
            "SELECT e.properties FROM event e JOIN event_type t ON t.id = e.type_id JOIN customer c"
            " ON c.id = e.customer_id WHERE c.external_id = {who} AND t.name = {name} ORDER BY e.id",
            who=who,
            name=name,
        )
    )
    return [row["properties"] for row in rows]


def violations() -> dict[str, int]:
    """Invariants of the program that do not hold."""
    from loyalty.kit.checks import invariants, verdict

    found = [verdict(one) for one in invariants() if one.key.startswith("program.")]
    assert found
    return {one.key: one.violations or -1 for one in found if not one.holds}


def forget(who: str) -> None:
    """Take the name from a customer row, as an erasure does."""
    execute(sql("DELETE FROM customer WHERE external_id = {who}", who=who))
