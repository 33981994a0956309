"""A series of cards and what is in it, for tests."""

from typing import Any

from loyalty.kit.applying import apply_documents
from loyalty.kit.sql import fetch, sql
from tests.db.loyalty.program.club import NOW

SERIES: dict[str, Any] = {"kind": "card_series", "key": "plastic", "prefix": "2790", "digits": 13}
STAFF: dict[str, Any] = {"kind": "card_series", "key": "staff", "prefix": "99", "digits": 8, "holder": "staff"}


def series(*documents: dict[str, Any]) -> None:
    apply_documents(list(documents or (SERIES,)), now=NOW)


def numbers(batch_id: int) -> list[str]:
    """The numbers of a batch, in the order of their making."""
    return [row[0] for row in fetch(sql("SELECT number FROM card WHERE batch_id = {b} ORDER BY id", b=batch_id))]


def holder(number: str) -> str | None:
    """The external id of whom a card leads to."""
    rows = fetch(
        sql(
            "SELECT c.external_id FROM customer_identity i JOIN customer c ON c.id = i.customer_id"
            " WHERE i.kind = 'card' AND i.value = {n}",
            n=number,
        )
    )
    return rows[0][0] if rows else None
