"""Forgetting customers in every package."""

from collections.abc import Mapping, Sequence

from django.db import transaction

from loyalty.kit.erasures import PersonalData, holders
from loyalty.kit.sql import execute, fetch, sql

OWN_PACKAGE = "loyalty.customers"


def erase_customers(*, customer_ids: Sequence[int]) -> int:
    """Remove every trace of these people in every package; the number of people who were there.

    What must outlive them (hashes in the suppression list, sums in ledgers) stays without them. What others are writing
    about them at this moment is swept afterwards (`joining.sweep`).
    """
    with transaction.atomic():
        query = sql("SELECT id FROM customer WHERE id = ANY({ids}) ORDER BY id FOR UPDATE", ids=list(customer_ids))
        found = [row[0] for row in fetch(query)]
        if found:
            remember_gone(dict.fromkeys(found))
            for holder in own_last():
                holder.erase(found)
    return len(found)


def own_last(*, own: bool = True) -> list[PersonalData]:
    """Everybody who holds personal data; the profile goes last, others still look things up in it (or not at all)."""
    found = sorted(holders(), key=lambda item: item.package == OWN_PACKAGE)
    return found if own else [item for item in found if item.package != OWN_PACKAGE]


def remember_gone(heirs: Mapping[int, int | None]) -> None:
    """Keep the numbers of people who are going, with the one who inherits, until nobody can be writing about them."""
    query = sql(
        "INSERT INTO customer_gone (customer_id, heir_id)"
        " SELECT * FROM unnest({ids}::bigint[], {heirs}::bigint[]) AS gone (id, heir) ORDER BY id"
        " ON CONFLICT (customer_id) DO UPDATE SET heir_id = excluded.heir_id, seen_at = NULL",
        ids=list(heirs),
        heirs=list(heirs.values()),
    )
    execute(query)
