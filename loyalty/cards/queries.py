"""Reads: what a card number is, whose it is, and which cards a customer has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.cards.models import CardSeries
from loyalty.customers.cards import is_valid, plain
from loyalty.kit.sql import Sql, fetch_values, sql

PAGE = 50
_COLUMNS = (
    "c.id, coalesce(c.number, i.value) AS number, coalesce(s.holder, 'member') AS holder,"
    " coalesce(c.state, 'ready') AS state, c.reason, coalesce(c.assigned_at, i.created_at) AS since, c.changed_at,"
    " r.number AS replaced_by, c.label, coalesce(i.customer_id, c.customer_id) AS customer_id, i.id IS NOT NULL AS live"
)


@dataclass(frozen=True, slots=True)
class CardShown:
    """A card as people see it. `usable`: it opens an account at the till. `id` None: a card from elsewhere.

    `customer_id`: whose it is, or was; None for one in stock.
    """

    id: int | None
    number: str
    holder: str
    state: str
    reason: str | None
    since: datetime | None
    changed_at: datetime | None
    replaced_by: str | None
    label: str | None
    customer_id: int | None
    usable: bool

    @property
    def printed(self) -> str:
        """The number in groups of four."""
        return grouped(self.number)


def grouped(number: str) -> str:
    """The number as it is printed: in groups of four."""
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


def find(number: str) -> CardShown | None:
    """The card with that number, however it was typed; None for a number that nobody has heard of."""
    return find_all([number]).get(plain(number))


def find_all(numbers: Sequence[str]) -> dict[str, CardShown]:
    """The known ones of these, by plain number; one query."""
    query = sql(
        "SELECT {columns} FROM unnest({numbers}::text[]) AS wanted (number)"
        " LEFT JOIN card c ON c.number = wanted.number LEFT JOIN customer_identity i ON i.kind = 'card'"
        " AND i.value = wanted.number LEFT JOIN card_series s ON s.id = c.series_id"
        " LEFT JOIN card r ON r.id = c.replaced_by_id WHERE c.id IS NOT NULL OR i.id IS NOT NULL",
        columns=Sql(_COLUMNS),
        numbers=sorted({plain(number) for number in numbers}),
    )
    return {card.number: card for card in _shown(fetch_values(query))}


def cards_of(customer_id: int, *, ended: bool = True) -> list[CardShown]:
    """The customer's cards: usable ones first, the newest of them first; then, with `ended`, those they had."""
    query = sql(
        "SELECT {columns} FROM (SELECT value AS number FROM customer_identity WHERE kind = 'card'"
        " AND customer_id = {id} UNION SELECT number FROM card WHERE customer_id = {id}) wanted"
        " LEFT JOIN card c ON c.number = wanted.number LEFT JOIN customer_identity i ON i.kind = 'card'"
        " AND i.value = wanted.number AND i.customer_id = {id} LEFT JOIN card_series s ON s.id = c.series_id"
        " LEFT JOIN card r ON r.id = c.replaced_by_id ORDER BY live DESC, since DESC NULLS LAST, number",
        columns=Sql(_COLUMNS),
        id=customer_id,
    )
    return [card for card in _shown(fetch_values(query)) if ended or card.usable]


def card_of(customer_id: int) -> str | None:
    """The number that the customer shows at the till: the newest usable card."""
    found = cards_of(customer_id, ended=False)
    return found[0].number if found else None


def _shown(rows: Sequence[dict[str, Any]]) -> list[CardShown]:
    cards = []
    for row in rows:
        live = row.pop("live")
        cards.append(CardShown(**row, usable=row["state"] == "ready" and live))
    return cards


def default_series(holder: str = "member") -> CardSeries | None:
    """The series that digital cards come from: the oldest one for members (or staff)."""
    return CardSeries.objects.filter(holder=holder).order_by("id").first()


def mistyped(number: str) -> bool:
    """Whether a number that nobody knows looks like a typing mistake: it is all digits and its check digit is wrong."""
    digits = plain(number)
    return digits.isascii() and digits.isdigit() and len(digits) > 2 and not is_valid(digits)


def changes_of(card_id: int) -> list[dict[str, Any]]:
    """What happened to the card, newest first."""
    return fetch_values(
        sql(
            "SELECT h.act, h.at, h.actor, h.reason, h.customer_id, c.external_id FROM card_change h"
            " LEFT JOIN customer c ON c.id = h.customer_id WHERE h.card_id = {id} ORDER BY h.id DESC LIMIT {most}",
            id=card_id,
            most=PAGE,
        )
    )
