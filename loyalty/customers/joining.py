"""Making one customer of two who turn out to be the same person."""

from collections.abc import Mapping, Sequence

from django.db import transaction

from loyalty.customers.erasing import own_last
from loyalty.customers.queries import Owner
from loyalty.customers.rows import Key, Person
from loyalty.kit.sql import fetch, sql


class Overtaken(Exception):
    """Another transaction changed who is who between reading and locking."""


def join_people(people: Sequence[Person], owners: Mapping[Key, Owner]) -> Mapping[Key, Owner]:
    """A customer without external id whose key a row gives to somebody else was that one all along; who owns what."""
    pairs: dict[int, int] = {}
    for person in people:
        for one in person.identities:
            owner = owners.get(one)
            if owner is None or owner.known or person.customer_id in (None, owner.customer_id):
                continue
            if owner.customer_id not in pairs.values() and person.customer_id not in pairs:
                pairs.setdefault(owner.customer_id, person.customer_id or 0)
    if not pairs:
        return owners
    everybody = {person.customer_id for person in people if person.customer_id is not None} | set(pairs)
    query = sql("SELECT id, external_id FROM customer WHERE id = ANY({i}) ORDER BY id FOR UPDATE", i=sorted(everybody))
    locked = dict(fetch(query))
    if any(loser not in locked or locked[loser] is not None or pairs[loser] not in locked for loser in pairs):
        raise Overtaken
    merge_customers(pairs)
    for person in people:
        person.customer_id = pairs.get(person.customer_id or 0, person.customer_id)
    return {one: Owner(pairs.get(owner.customer_id, owner.customer_id), owner.known) for one, owner in owners.items()}


def merge_customers(pairs: Mapping[int, int]) -> None:
    """Hand everything that the losers (keys) have to the winners (values) in every package; the losers are gone then.

    Goes pair by pair: people who turn out to be one are few. The caller has locked all of them.
    """
    with transaction.atomic():
        for loser, winner in sorted(pairs.items()):
            for holder in own_last():
                holder.merge(winner, loser)
