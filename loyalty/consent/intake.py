"""Customers together with what they consented to, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from django.db import transaction

from loyalty.consent.entries import ConsentEntry, read_entry
from loyalty.consent.operations import record
from loyalty.customers.operations import Upserted, upsert_customers
from loyalty.customers.values import shown
from loyalty.kit.problems import Problem

CONSENTS_MAX = 100


def upsert_with_consents(
    rows: Sequence[object], *, now: datetime, source: str, mistakes: Mapping[int, list[Problem]] | None = None
) -> Upserted:
    """Make or change customers and record their `consents`; a row with a mistake anywhere is refused as a whole.

    `mistakes` are what the caller found wrong, by row.
    """
    refused = {index: [*problems] for index, problems in (mistakes or {}).items()}
    declared: dict[int, list[ConsentEntry]] = {}
    for index, row in enumerate(rows):
        given = row.get("consents") if isinstance(row, Mapping) else None
        if given is None:
            continue
        entries, problems = _read(given, now)
        if problems:
            refused[index] = [*refused.get(index, []), *problems]
        elif entries:
            declared[index] = entries
    with transaction.atomic():
        # All the batch's customers are locked at once, for `record` to find its locks taken in the right order.
        done = upsert_customers(rows, now=now, source=source, refused=refused, lock_all=bool(declared))
        entries = [
            replace(entry, customer_id=customer_id)
            for index, found in declared.items()
            if (customer_id := done.ids[index]) is not None
            for entry in found
        ]
        record(entries, now=now)
    return done


def _read(given: object, now: datetime) -> tuple[list[ConsentEntry], list[Problem]]:
    if not isinstance(given, list):
        return [], [Problem("consents", f"{shown(given)} is not a list")]
    if len(given) > CONSENTS_MAX:
        return [], [Problem("consents", f"has {len(given)} entries", f"send at most {CONSENTS_MAX}")]
    entries, problems = [], []
    for place, item in enumerate(given):
        entry, found = read_entry(item, now=now)
        problems += [problem.within(f"consents[{place}]") for problem in found]
        if entry is not None:
            entries.append(entry)
    return entries, problems
