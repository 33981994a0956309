"""The statements that give customers further keys and take them away, with the history of both.

What a customer's keys of one kind were before stands in the history as the field `identities.<kind>`.
"""

import json
from collections.abc import Sequence
from datetime import datetime

from loyalty.customers.changes import mark_changed
from loyalty.customers.joining import Overtaken
from loyalty.customers.merge import Origin
from loyalty.customers.queries import identity_owners
from loyalty.customers.rows import Person
from loyalty.kit.sql import execute, fetch, sql

FIELD = "identities."


def identify(people: Sequence[Person], *, origin: Origin, now: datetime) -> None:
    """Take away the kinds that the people drop, then add the identities that are not there yet.

    Raises IntegrityError when another transaction wrote one of them meanwhile.
    """
    dropped = [
        (person.customer_id or 0, kind, [value for given, value in person.identities if given == kind])
        for person in people
        if not person.new
        for kind in person.dropped
    ]
    given = [(person.customer_id or 0, *one) for person in people for one in person.identities]
    owners = identity_owners((kind, value) for _, kind, value in given) if given else {}
    if any((owner := owners.get((kind, value))) and owner.customer_id != mine for mine, kind, value in given):
        # Somebody else got the key after it was found to be nobody's: else a customer without any key would stay.
        raise Overtaken
    missing = [row for row in given if (row[1], row[2]) not in owners]
    if not dropped and not missing:
        return
    # People who are new have no history.
    new = {person.customer_id for person in people if person.new}
    touched = [(row[0], row[1]) for row in (*dropped, *missing) if row[0] not in new]
    before = _values(touched)
    if dropped:
        _drop(dropped)
    if missing:
        _insert(missing, now)
    if touched:
        after = _values(touched)
        changed = {one: before.get(one, []) for one in touched if before.get(one) != after.get(one)}
        _remember(changed, origin, now)


def _values(touched: Sequence[tuple[int, str]]) -> dict[tuple[int, str], list[str]]:
    if not touched:
        return {}
    query = sql(
        "SELECT i.customer_id, i.kind, array_agg(i.value ORDER BY i.id) FROM customer_identity i"
        " WHERE i.customer_id = ANY({ids}) AND i.kind = ANY({kinds}) GROUP BY 1, 2",
        ids=[customer_id for customer_id, _ in touched],
        kinds=sorted({kind for _, kind in touched}),
    )
    return {(customer_id, kind): values for customer_id, kind, values in fetch(query)}


def _drop(rows: Sequence[tuple[int, str, list[str]]]) -> int:
    """Delete the customers' identities of these kinds but those to keep, locked in the order of their keys."""
    query = sql(
        "WITH gone AS MATERIALIZED (SELECT i.id FROM customer_identity i"
        " JOIN jsonb_to_recordset({rows}::jsonb) AS d (customer_id bigint, kind text, kept jsonb)"
        " ON d.customer_id = i.customer_id AND d.kind = i.kind AND NOT d.kept ? i.value"
        " ORDER BY i.kind, i.value FOR UPDATE OF i)"
        " DELETE FROM customer_identity WHERE id IN (SELECT id FROM gone)",
        rows=json.dumps([{"customer_id": one, "kind": kind, "kept": kept} for one, kind, kept in rows]),
    )
    return execute(query)


def _insert(rows: Sequence[tuple[int, str, str]], now: datetime) -> int:
    ids, kinds, values = (list(column) for column in zip(*rows, strict=True))
    query = sql(
        "INSERT INTO customer_identity (customer_id, kind, value, created_at)"
        " SELECT customer_id, kind, value, {now}"
        " FROM unnest({ids}::bigint[], {kinds}::text[], {values}::text[]) AS given (customer_id, kind, value)"
        " ORDER BY kind, value",
        now=now,
        ids=ids,
        kinds=kinds,
        values=values,
    )
    return execute(query)


def _remember(before: dict[tuple[int, str], list[str]], origin: Origin, now: datetime) -> None:
    """Write one revision a customer, and tell the segments."""
    if not before:
        return
    fields: dict[int, dict[str, list[str] | None]] = {}
    for (customer_id, kind), values in before.items():
        fields.setdefault(customer_id, {})[FIELD + kind] = values or None
    query = sql(
        "INSERT INTO customer_revision (customer_id, at, source_id, actor, reason, before)"
        " SELECT customer_id, {now}, {source}, {actor}, {reason}, before"
        " FROM unnest({ids}::bigint[], {before}::jsonb[]) AS given (customer_id, before)",
        now=now,
        source=origin.source_id,
        actor=origin.actor,
        reason=origin.reason,
        ids=list(fields),
        before=[json.dumps(one) for one in fields.values()],
    )
    execute(query)
    mark_changed(list(fields))
