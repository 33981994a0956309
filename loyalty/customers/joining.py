"""Making one customer of two who turn out to be the same person, and two again when that was a mistake.

Every merge is kept in `customer_merge` with the loser's profile and the key of every row that changed hands.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from loyalty.customers.changes import mark_changed
from loyalty.customers.erasing import own_last, remember_gone
from loyalty.customers.models import CustomerMerge
from loyalty.customers.queries import Owner, identity_owners
from loyalty.customers.rows import Key, Person
from loyalty.kit.erasures import Moved, Pairs, Return, pairs_sql
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql

# Why people are joined: a key that one gave was the other's, somebody said so, or the person claimed it.
KEY = "key"
ASKED = "asked"
CLAIMED = "claimed"
# Kinds of keys that a person may claim: those of visitors and purchases that nobody knew yet.
CLAIMABLE = ("anonymous_id", "card", "device", "receipt")
# A claim that others overtook starts over; more than once needs a third party each time.
ATTEMPTS = 10
SWEPT_MOST = 1_000


class Overtaken(Exception):
    """Another transaction changed who is who between reading and locking."""


@dataclass(frozen=True, slots=True)
class Joined:
    """What came of a merge or a claim: who stays, who is gone (None: nobody was there), the number of the log's row."""

    winner_id: int
    loser_id: int | None
    merge_id: int | None


def join_people(people: Sequence[Person], owners: Mapping[Key, Owner], *, now: datetime) -> Mapping[Key, Owner]:
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
    locked = _lock(everybody)
    if any(loser not in locked or locked[loser] is not None or pairs[loser] not in locked for loser in pairs):
        raise Overtaken
    merge_customers(pairs, reason=KEY, now=now)
    for person in people:
        person.customer_id = pairs.get(person.customer_id or 0, person.customer_id)
    return {one: Owner(pairs.get(owner.customer_id, owner.customer_id), owner.known) for one, owner in owners.items()}


def _lock(customer_ids: set[int]) -> dict[int, str | None]:
    """Lock these customers in the order of their ids; external id by customer."""
    query = sql(
        "SELECT id, external_id FROM customer WHERE id = ANY({i}) ORDER BY id FOR UPDATE", i=sorted(customer_ids)
    )
    return dict(fetch(query))


def merge_customers(pairs: Pairs, *, reason: str, now: datetime, actor: str | None = None) -> dict[int, int]:
    """Hand everything that the losers (keys) have to the winners (values) in every package; the losers are gone then.

    The number of queries does not depend on the number of pairs. The caller has locked all of them, and no winner is a
    loser. The answer has the number of the log's row by loser.
    """
    if not pairs:
        return {}
    with transaction.atomic():
        logged = _log(pairs, reason, now, actor)
        remember_gone(pairs)
        moved = hand_over_all(pairs, now=now)
        _note_moved(logged, moved)
    return logged


def hand_over_all(pairs: Pairs, *, now: datetime, own: bool = True) -> Moved:
    """Let every package hand the losers' rows over; without `own` all but the profiles, which are gone already."""
    moved: Moved = {}
    for holder in own_last(own=own):
        moved |= holder.merge(pairs, now)
    return moved


def _log(pairs: Pairs, reason: str, now: datetime, actor: str | None) -> dict[int, int]:
    query = sql(
        "INSERT INTO customer_merge (winner_id, loser_id, merged_at, reason, actor, loser, winner_before, moved)"
        " SELECT w.id, l.id, {now}, {reason}, {actor}, to_jsonb(l), to_jsonb(w), '{{}}' FROM {pairs}"
        " JOIN customer l ON l.id = pairs.loser JOIN customer w ON w.id = pairs.winner ORDER BY l.id"
        " RETURNING loser_id, id",
        now=now,
        reason=reason,
        actor=actor,
        pairs=pairs_sql(pairs),
    )
    return dict(fetch(query))


def _note_moved(logged: Mapping[int, int], moved: Moved) -> None:
    """Add what was handed over to the log, by loser."""
    per_loser: dict[int, dict[str, list[object]]] = {}
    for table, keys in moved.items():
        for loser, found in keys.items():
            if found and loser in logged:
                per_loser.setdefault(loser, {})[table] = found
    if not per_loser:
        return
    query = sql(
        "UPDATE customer_merge m SET moved = (SELECT jsonb_object_agg(t.key, coalesce(m.moved -> t.key, '[]') ||"
        " coalesce(given.moved -> t.key, '[]')) FROM jsonb_object_keys(m.moved || given.moved) AS t (key))"
        " FROM unnest({ids}::bigint[], {moved}::jsonb[]) AS given (id, moved) WHERE m.id = given.id",
        ids=[logged[loser] for loser in per_loser],
        moved=[json.dumps(one) for one in per_loser.values()],
    )
    execute(query)


def winner_of(one: tuple[int, str | None], other: tuple[int, str | None]) -> tuple[int, int]:
    """(winner, loser) of two customers as (id, external id): who has an external id, else the older.

    When both have one, the first stays: it is the one that the caller speaks of.
    """
    if (one[1] is None) != (other[1] is None):
        return (one[0], other[0]) if one[1] is not None else (other[0], one[0])
    if one[1] is not None:
        return one[0], other[0]
    return min(one[0], other[0]), max(one[0], other[0])


def join(*, customer_id: int, other_id: int, now: datetime, actor: str, reason: str = ASKED) -> Joined:
    """Join two customers by the rule of `winner_of`; raises Problems for the same one twice or one who is gone."""
    if customer_id == other_id:
        raise Problems([Problem("with", "is the same customer", "name the other one")])
    with transaction.atomic():
        locked = _lock({customer_id, other_id})
        for one in (customer_id, other_id):
            if one not in locked:
                raise Problems([Problem("with", "this customer is gone", "look who it was joined to")])
        winner, loser = winner_of((customer_id, locked[customer_id]), (other_id, locked[other_id]))
        logged = merge_customers({loser: winner}, reason=reason, now=now, actor=actor)
    return Joined(winner, loser, logged[loser])


def claim(*, customer_id: int, kind: str, value: str, now: datetime, actor: str) -> Joined:
    """A known person says that a card, receipt or visitor's id is theirs, and gets what happened under it.

    Nobody's yet: it becomes theirs. A customer's who has nothing but keys: that one is joined to them. Somebody else's:
    raises Problems. Claiming twice changes nothing.
    """
    if kind not in CLAIMABLE:
        raise Problems([Problem(kind, "cannot be claimed", f"known: {', '.join(CLAIMABLE)}")])
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic():
                return _claim(customer_id, (kind, value), now, actor)
        except Overtaken:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _claim(customer_id: int, key: Key, now: datetime, actor: str) -> Joined:
    owner = identity_owners([key]).get(key)
    locked = _lock({customer_id} | ({owner.customer_id} if owner else set()))
    if customer_id not in locked:
        raise Problems([Problem("", "this customer is gone", "look who it was joined to")])
    if owner != identity_owners([key]).get(key):
        raise Overtaken
    if owner is None:
        added = execute(
            sql(
                "INSERT INTO customer_identity (customer_id, kind, value, created_at)"
                " VALUES ({id}, {kind}, {value}, {now}) ON CONFLICT DO NOTHING",
                id=customer_id,
                kind=key[0],
                value=key[1],
                now=now,
            )
        )
        if not added:
            raise Overtaken
        mark_changed([customer_id])
        return Joined(customer_id, None, None)
    if owner.customer_id == customer_id:
        return Joined(customer_id, None, None)
    if not _is_unclaimed(owner.customer_id):
        raise Problems([Problem(key[0], "belongs to another customer", "correct it, or join the two")])
    logged = merge_customers({owner.customer_id: customer_id}, reason=CLAIMED, now=now, actor=actor)
    return Joined(customer_id, owner.customer_id, logged[owner.customer_id])


def _is_unclaimed(customer_id: int) -> bool:
    """Whether the customer is nothing but keys: no external id, address or name."""
    query = sql(
        "SELECT FROM customer WHERE id = {id} AND external_id IS NULL AND email IS NULL AND phone IS NULL"
        " AND first_name IS NULL AND last_name IS NULL",
        id=customer_id,
    )
    return bool(fetch(query))


def undo_merge(*, merge_id: int, now: datetime, actor: str) -> Joined:
    """Make two customers of one again: the loser gets its profile and exactly the rows that moved.

    The winner gives up the values that came from the loser where they were not changed since. What happened after the
    merge stays the winner's. Raises Problems when it was undone already or one of the two is gone.
    """
    with transaction.atomic():
        log = CustomerMerge.objects.select_for_update().filter(pk=merge_id).first()
        if log is None:
            raise Problems([Problem("merge", "there is no such merge", "it goes when the person is erased")])
        if log.undone_at is not None:
            raise Problems([Problem("merge", "is undone already", "nothing is left to do")])
        locked = _lock({log.winner_id, log.loser_id})
        if log.winner_id not in locked:
            raise Problems([Problem("merge", _gone(log.winner_id), "undo the later merge first")])
        if log.loser_id in locked:
            raise Problems([Problem("merge", "the joined customer is there again", "nothing is left to do")])
        execute(sql("DELETE FROM customer_gone WHERE customer_id = {loser}", loser=log.loser_id))
        given = Return(log.winner_id, log.loser_id, log.loser, log.moved, now)
        # The profile first: keys and consents belong to it.
        for holder in reversed(own_last()):
            holder.unmerge(given)
        log.undone_at, log.undone_by = now, actor
        CustomerMerge.objects.filter(pk=merge_id).update(undone_at=now, undone_by=actor)
        mark_changed(sorted((log.winner_id, log.loser_id)))
    return Joined(log.winner_id, log.loser_id, log.pk)


def _gone(customer_id: int) -> str:
    later = CustomerMerge.objects.filter(loser_id=customer_id, undone_at=None).order_by("-id").first()
    if later is None:
        return "the customer who stayed is gone"
    return f"the customer who stayed was joined to another one itself (merge {later.pk})"


def sweep(*, now: datetime) -> int:
    """Hand over or erase what others wrote about people who were joined or erased while they wrote; how many people.

    An event may be resolved to a customer just before that one goes, and be committed after. So who is gone stays on a
    list until every transaction that had begun before has ended, and is gone through once more then.
    """
    with transaction.atomic():
        execute("UPDATE customer_gone SET seen_at = clock_timestamp() WHERE seen_at IS NULL")
        ready = sql(
            "WITH oldest AS MATERIALIZED (SELECT min(xact_start) AS at FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid())"
            " DELETE FROM customer_gone WHERE customer_id IN (SELECT g.customer_id FROM customer_gone g, oldest"
            " WHERE oldest.at IS NULL OR g.seen_at < oldest.at ORDER BY g.seen_at, g.customer_id LIMIT {most}"
            " FOR UPDATE OF g SKIP LOCKED) RETURNING customer_id, heir_id",
            most=SWEPT_MOST,
        )
        heirs: dict[int, int | None] = dict(fetch(ready))
        if not heirs:
            return 0
        final = {one: _final(one, heirs) for one in heirs}
        living = _lock({heir for heir in final.values() if heir is not None})
        pairs = {one: heir for one, heir in final.items() if heir is not None and heir in living}
        nobodys = [one for one in heirs if one not in pairs]
        if nobodys:
            for holder in own_last(own=False):
                holder.erase(nobodys)
        if pairs:
            moved = hand_over_all(pairs, now=now, own=False)
            logs = sql(
                "SELECT DISTINCT ON (loser_id) loser_id, id FROM customer_merge WHERE loser_id = ANY({ids}::bigint[])"
                " AND undone_at IS NULL ORDER BY loser_id, id DESC",
                ids=list(pairs),
            )
            _note_moved(dict(fetch(logs)), moved)
    return len(heirs)


def _final(customer_id: int, heirs: Mapping[int, int | None]) -> int | None:
    """Who stands at the end of a chain of merges."""
    heir = heirs[customer_id]
    while heir is not None and heir in heirs:
        heir = heirs[heir]
    return heir
