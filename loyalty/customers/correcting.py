"""Correcting one person by hand: fields and keys, with the reason and the name of who did it in the history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from loyalty.customers import identities, merge
from loyalty.customers.catalog import attribute_fields
from loyalty.customers.joining import Overtaken
from loyalty.customers.models import Customer
from loyalty.customers.queries import identities_of, identity_owners
from loyalty.customers.rows import IDENTITY_KINDS, NOBODY, Key, Person, reader_of, taken
from loyalty.customers.sources import source_id
from loyalty.kit.digests import address_digest
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a correction did: whether fields changed, and which keys were added and taken away."""

    fields: bool
    added: Sequence[Key]
    removed: Sequence[Key]


def correct_customer(
    *,
    customer_id: int,
    row: Mapping[str, Any],
    now: datetime,
    source: str,
    actor: str | None = None,
    reason: str | None = None,
    add: Sequence[Key] = (),
    remove: Sequence[Key] = (),
) -> Corrected:
    """Change the customer as an intake's row would (given fields change, null clears), add and remove (kind, value).

    The external id stays: two people become one by merging them. Raises Problems, all at once, and
    Customer.DoesNotExist.
    """
    change = partial(_correct, customer_id, row, add, remove, now)
    try:
        return change(source, actor, reason)
    except (Overtaken, IntegrityError):
        # Somebody else got one of the keys at this moment: looked at again, that is told like any key that is taken.
        return change(source, actor, reason)


def _correct(
    customer_id: int,
    row: Mapping[str, Any],
    add: Sequence[Key],
    remove: Sequence[Key],
    now: datetime,
    source: str,
    actor: str | None,
    reason: str | None,
) -> Corrected:
    with transaction.atomic():
        if not fetch(sql("SELECT 1 FROM customer WHERE id = {id} FOR UPDATE", id=customer_id)):
            raise Customer.DoesNotExist(f"there is no customer {customer_id}")
        person, problems = _read(row, add)
        held = identities_of(customer_id)
        added = [one for one in person.identities if one not in held]
        missing = [one for one in remove if one not in held]
        owners = identity_owners(added) if added else {}
        problems += [taken(*one) for one in added if one in owners]
        problems += [Problem(f"identities.{kind}", f"{value!r} is not one of this customer") for kind, value in missing]
        if problems:
            raise Problems(problems)
        person.customer_id = customer_id
        person.dropped = sorted({kind for kind, _ in remove})
        person.identities = [*(one for one in held if one not in remove), *added]
        origin = merge.Origin(source_id(source, now=now), actor, reason)
        merge.stage([person], partial(address_digest, key=settings.ADDRESS_KEY))
        changed = merge.update([customer_id], origin=origin, now=now)
        identities.identify([person], origin=origin, now=now)
    return Corrected(changed > 0, added, list(remove))


def _read(row: Mapping[str, Any], add: Sequence[Key]) -> tuple[Person, list[Problem]]:
    """The row and the keys to add; nothing is learned from a form."""
    keys: dict[str, list[str]] = {}
    for kind, value in add:
        keys.setdefault(kind, []).append(value)
    person, problems = reader_of(attribute_fields(), written=True, room=0).read(0, {**row, "identities": keys})
    problems = [problem for problem in problems if problem != NOBODY]
    if "external_id" in row:
        problems.append(Problem("external_id", "cannot be changed", "merge the two customers instead"))
    return person, problems


def identity_key(kind: str, value: str) -> Key:
    """A key as it is stored; raises Problems for an unknown kind."""
    if kind not in IDENTITY_KINDS:
        raise Problems([Problem("kind", f"unknown kind of identity {kind!r}", f"known: {', '.join(IDENTITY_KINDS)}")])
    return kind, value.strip()
