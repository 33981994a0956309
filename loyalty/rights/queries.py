"""Reading for people's rights: all data of one person with its purposes, what an erasure would remove, the desk."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.customers.models import Customer
from loyalty.customers.queries import personal_data
from loyalty.kit.erasures import held_tables, row_counts
from loyalty.rights.models import RightsRequest


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure does to one table: how many rows go, and why some traces outlive it ('' if none do)."""

    table: str
    what: str
    rows: int
    stays: str


def erasure_preview(customer_id: int) -> list[Erased]:
    """The tables with rows about the person; one query."""
    counts = row_counts([customer_id])
    return [
        Erased(held.table, str(held.what), counts[held.table], str(held.reason))
        for held in held_tables()
        if counts[held.table]
    ]


def access(customer_id: int, *, now: datetime) -> dict[str, Any]:
    """All data of the person, and for each table in words what it is, why, from where, for what benefit, until when.

    In the active language. Raises Customer.DoesNotExist.
    """
    customer = Customer.objects.get(pk=customer_id)
    data = personal_data(customer_id, external_id=customer.external_id or "", now=now)
    filled = [held for held in held_tables() if data["tables"].get(held.table)]
    return data | {
        "classes": [
            {
                "table": held.table,
                "rows": len(data["tables"][held.table]),
                "what": str(held.what),
                "purpose": str(held.purpose),
                "origin": str(held.origin),
                "benefit": str(held.benefit),
                "kept": str(held.kept),
            }
            for held in filled
        ]
    }


def language_of(customer_id: int) -> str:
    """The language of texts for the person: German for who prefers it, else English."""
    locale = Customer.objects.filter(pk=customer_id).values_list("locale", flat=True).first() or ""
    return "de" if locale.lower().partition("-")[0].partition("_")[0] == "de" else "en"


def days_left(request: RightsRequest, *, now: datetime) -> int:
    """Whole days until the request is due; negative when it is overdue."""
    return (request.due_at - now).days
