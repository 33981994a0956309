"""Static lists: made by name, filled and emptied as sets; whoever comes or goes is queued for the segments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from campaigns.segments import references, tree
from campaigns.segments.models import CustomerList
from campaigns.segments.operator import operators
from campaigns.segments.stored import stored_segments
from loyalty.customers.changes import mark_changed_sql
from loyalty.kit.chores import hint
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, fetch, fetch_dicts, fetch_values, sql

KIND = "list"


@dataclass(frozen=True, slots=True)
class SavedList:
    """`verdict` is created, updated or unchanged."""

    list: CustomerList
    verdict: str
    before: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class MembersChanged:
    """Who was put on a list that was not, and taken off that was."""

    added: int
    removed: int


def keys() -> set[str]:
    """The keys of all lists."""
    return set(CustomerList.objects.values_list("key", flat=True))


references.know(KIND, keys)


def document_of(found: CustomerList) -> dict[str, Any]:
    """The list as the document that `apply` would leave unchanged; who is on it is data, not definition."""
    description = {"description": found.description} if found.description else {}
    return {"kind": KIND, "key": found.key, "name": found.name, **description}


def overview(*, after: str = "", limit: int = 50, only: str | None = None) -> list[dict[str, Any]]:
    """A page of lists by key, each with `member_count` and `used_by`; the counts read the page's part of one index."""
    which = sql("n.key = {only}", only=only) if only is not None else sql("n.key > {after}", after=after)
    found = fetch_values(
        sql(
            """SELECT n.key, n.name, n.description, n.created_at, n.updated_at,
                (SELECT count(*) FROM customer_list_member m WHERE m.list_id = n.id) AS member_count
            FROM customer_list n WHERE {which} ORDER BY n.key LIMIT {limit}""",
            which=which,
            limit=limit,
        )
    )
    used = users()
    return [{**row, "used_by": used.get(row["key"], [])} for row in found]


def members(list_id: int, *, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
    """A page of people in the order of their ids, those beyond `after`: customer_id, external_id, added_at, source."""
    return fetch_dicts(
        sql(
            "SELECT m.customer_id, c.external_id, m.added_at, m.source FROM customer_list_member m"
            " LEFT JOIN customer c ON c.id = m.customer_id"
            " WHERE m.list_id = {id} AND m.customer_id > {after} ORDER BY m.customer_id LIMIT {limit}",
            id=list_id,
            after=after,
            limit=limit,
        )
    )


def users() -> dict[str, list[str]]:
    """The keys of the segments that ask for each list."""
    found: dict[str, set[str]] = {}
    for item in stored_segments().values():
        for leaf in tree.leaves(item.rule):
            for reference in operators.get(leaf.operator).references(leaf.parameters):
                if reference.kind == KIND:
                    found.setdefault(reference.key, set()).add(item.key)
    return {key: sorted(names) for key, names in found.items()}


@transaction.atomic
def save_list(
    *, key: str, name: dict[str, str] | None = None, description: str | None = None, now: datetime
) -> SavedList:
    """Make a list or change what it is called."""
    found, is_new = CustomerList.objects.select_for_update().get_or_create(
        key=key, defaults={"created_at": now, "updated_at": now}
    )
    before = None if is_new else document_of(found)
    found.name, found.description = name or {}, description or None
    if before == document_of(found):
        return SavedList(found, "unchanged", before)
    found.updated_at = now
    found.save(update_fields=["name", "description", "updated_at"])
    return SavedList(found, "created" if before is None else "updated", before)


@transaction.atomic
def delete_list(*, key: str) -> int:
    """Delete a list; how many were on it. Raises Problems when a segment asks for it."""
    found = _locked(key, "FOR UPDATE")
    if used := users().get(key):
        who = ", ".join(f"segment {one}" for one in used)
        raise Problems([Problem("key", f"{key!r} is used by {who}", "change these first")])
    count = len(fetch(sql("DELETE FROM customer_list_member WHERE list_id = {id} RETURNING 1", id=found)))
    CustomerList.objects.filter(pk=found).delete()
    return count


@transaction.atomic
def change_members(
    *, key: str, add: Sequence[int], remove: Sequence[int], source: str, now: datetime
) -> MembersChanged:
    """Put some on the list and take others off it, together; who is named twice is taken off."""
    added = add_members(key=key, customer_ids=sorted(set(add) - set(remove)), source=source, now=now)
    return MembersChanged(added, remove_members(key=key, customer_ids=remove))


@transaction.atomic
def add_members(*, key: str, customer_ids: Sequence[int], source: str, now: datetime) -> int:
    """Put these people on the list; how many were not on it. Who does not exist (any more) is passed over."""
    list_id = _locked(key, "FOR KEY SHARE")
    # The people are held against erasure until the commit; in the order of ids, so that two calls wait for each other.
    return _written(
        sql(
            """WITH person AS MATERIALIZED (
                SELECT c.id FROM customer c WHERE c.id = ANY({ids}::bigint[]) ORDER BY c.id FOR KEY SHARE
            ), moved AS (
                INSERT INTO customer_list_member (list_id, customer_id, added_at, source)
                SELECT {list_id}, p.id, {now}, {source} FROM person p ORDER BY p.id
                ON CONFLICT DO NOTHING RETURNING customer_id
            )""",
            ids=sorted(set(customer_ids)),
            list_id=list_id,
            now=now,
            source=source,
        )
    )


@transaction.atomic
def remove_members(*, key: str, customer_ids: Sequence[int]) -> int:
    """Take these people off the list; how many were on it."""
    list_id = _locked(key, "FOR KEY SHARE")
    return _written(
        sql(
            """WITH held AS MATERIALIZED (
                SELECT m.customer_id FROM customer_list_member m
                WHERE m.list_id = {list_id} AND m.customer_id = ANY({ids}::bigint[]) ORDER BY m.customer_id FOR UPDATE
            ), moved AS (
                DELETE FROM customer_list_member m USING held h
                WHERE m.list_id = {list_id} AND m.customer_id = h.customer_id RETURNING m.customer_id
            )""",
            ids=sorted(set(customer_ids)),
            list_id=list_id,
        )
    )


def _written(moved: Sql) -> int:
    """Run the CTEs up to `moved` and queue who moved; how many."""
    changed = mark_changed_sql(Sql("SELECT customer_id FROM moved"))
    query = sql("{moved}, queued AS ({changed}) SELECT count(*) FROM moved", moved=moved, changed=changed)
    count = int(fetch(query)[0][0])
    if count:
        hint("segments.refresh")
    return count


def _locked(key: str, how: str) -> int:
    rows = fetch(sql("SELECT id FROM customer_list WHERE key = {key} {how}", key=key, how=Sql(how)))
    if not rows:
        near = references.remedy(key, sorted(keys()))
        raise Problems([Problem("key", f"there is no list {key!r}", near)])
    return int(rows[0][0])
