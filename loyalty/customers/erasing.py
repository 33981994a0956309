"""Forgetting customers in every package."""

from collections.abc import Sequence

from django.db import transaction

from loyalty.kit.erasures import PersonalData, holders
from loyalty.kit.sql import fetch, sql

OWN_PACKAGE = "loyalty.customers"


def erase_customers(*, customer_ids: Sequence[int]) -> int:
    """Remove every trace of these people in every package; the number of people who were there.

    What must outlive them (hashes in the suppression list, sums in ledgers) stays without them.
    """
    with transaction.atomic():
        query = sql("SELECT id FROM customer WHERE id = ANY({ids}) ORDER BY id FOR UPDATE", ids=list(customer_ids))
        found = [row[0] for row in fetch(query)]
        if found:
            for holder in own_last():
                holder.erase(found)
    return len(found)


def own_last() -> list[PersonalData]:
    """Everybody who holds personal data; the profile goes last, others still look things up in it."""
    return sorted(holders(), key=lambda item: item.package == OWN_PACKAGE)
