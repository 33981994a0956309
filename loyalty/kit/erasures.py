"""Registries for people's rights: each package says what it holds about people and why, and how to forget it, to show
it, to hand it to another person and to give it back.

Rows that say by `customer_id` whom they are about are handed over with `hand_over` and given back with `give_back`;
only what is more than that needs statements of its own.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.kit.sql import Sql, execute, fetch, identifier, sql

Pairs = Mapping[int, int]
"""Customers who turn out to be others: loser -> winner. No winner is a loser of the same batch."""

Moved = dict[str, dict[int, list[Any]]]
"""What was handed over: table -> loser -> keys of rows (or whole rows, where they could not stay)."""


@dataclass(frozen=True, slots=True)
class Held:
    """One table with rows about people, told in words for them (lazy translations).

    `rows` is the condition that finds the rows of the customers `{ids}`; `reason` says why rows outlive an erasure
    ('' where none does).
    """

    table: str
    what: Any
    purpose: Any
    origin: Any
    benefit: Any
    kept: Any
    rows: str = "customer_id = ANY({ids})"
    reason: Any = ""


@dataclass(frozen=True, slots=True)
class Return:
    """One merge that is undone: `moved` (table -> keys) goes back from the winner to the loser, who was `profile`."""

    winner: int
    loser: int
    profile: Mapping[str, Any]
    moved: Mapping[str, Sequence[Any]]
    now: datetime


def _nothing(given: Return) -> None:
    """There is nothing to give back."""


@dataclass(frozen=True, slots=True)
class PersonalData:
    """What one package holds about people.

    `erase(customer_ids)` removes every trace and returns the number of rows touched; `export(customer_id)` returns the
    rows by table name; `merge(pairs, now)` hands the losers' rows to the winners and tells which; `unmerge(given)`
    gives them back; `tables` describes all of it; `objection(customer_ids, now, source)` stops what Art. 21 GDPR lets
    people object to. All run inside the caller's transaction, with the customers locked; the number of their queries
    does not depend on the number of people.
    """

    package: str
    erase: Callable[[Sequence[int]], int]
    export: Callable[[int], dict[str, list[dict[str, Any]]]]
    merge: Callable[[Pairs, datetime], Moved]
    unmerge: Callable[[Return], None] = _nothing
    tables: Sequence[Held] = ()
    objection: Callable[[Sequence[int], datetime, str], int] | None = None


_holders: dict[str, PersonalData] = {}


def hold_personal_data(holder: PersonalData) -> None:
    """Register a package's part; raises ValueError when it registers twice."""
    if holder.package in _holders:
        raise ValueError(f"{holder.package} registered its personal data twice")
    _holders[holder.package] = holder


def holders() -> list[PersonalData]:
    """All registered parts, by package name."""
    return [_holders[name] for name in sorted(_holders)]


def held_tables() -> list[Held]:
    """Every table with rows about people: the profile first, then what we know, then what we did about it."""
    order = sorted(holders(), key=lambda item: (not item.package.startswith("loyalty."), item.package))
    tables = [table for holder in order for table in holder.tables]
    return sorted(tables, key=lambda item: item.table != "customer")


def row_counts(customer_ids: Sequence[int]) -> dict[str, int]:
    """How many rows each table holds about these people; one query."""
    counts = [
        sql(
            "SELECT {name}::text, (SELECT count(*) FROM {table} WHERE {rows})",
            name=held.table,
            table=identifier(held.table),
            rows=_of(held, customer_ids),
        )
        for held in held_tables()
    ]
    return dict(fetch(Sql(" UNION ALL ").join(counts))) if counts else {}


def _of(held: Held, customer_ids: Sequence[int]) -> Sql:
    ids = sql("{ids}::bigint[]", ids=list(customer_ids))
    return sql(held.rows, ids=ids)


def pairs_sql(pairs: Pairs) -> Sql:
    """The pairs as a table `pairs (loser, winner)` for a FROM."""
    return sql(
        "unnest({losers}::bigint[], {winners}::bigint[]) AS pairs (loser, winner)",
        losers=list(pairs),
        winners=list(pairs.values()),
    )


def hand_over(pairs: Pairs, table: str, key: str = "id") -> dict[int, list[Any]]:
    """Let the losers' rows of the table be the winners'; the keys of the rows by loser."""
    query = sql(
        # By the array the rows are found in the index of customers, however few or many pairs there are.
        "WITH moved AS (UPDATE {table} t SET customer_id = pairs.winner FROM {pairs}"
        " WHERE t.customer_id = pairs.loser AND t.customer_id = ANY({losers}::bigint[])"
        " RETURNING pairs.loser, t.{key} AS key)"
        " SELECT loser, jsonb_agg(key ORDER BY key) FROM moved GROUP BY loser",
        table=identifier(table),
        key=identifier(key),
        pairs=pairs_sql(pairs),
        losers=list(pairs),
    )
    return by_loser(fetch(query))


def by_loser(rows: Sequence[tuple[int, Any]]) -> dict[int, list[Any]]:
    """Rows of (loser, JSON list) as a mapping."""
    return {loser: json.loads(keys) if isinstance(keys, str) else keys for loser, keys in rows}


def take_out(pairs: Pairs, table: str, column: str = "customer_id") -> dict[int, list[Any]]:
    """Delete the losers' rows of the table, which cannot be the winners'; the whole rows by loser."""
    query = sql(
        "WITH gone AS (DELETE FROM {table} t WHERE t.{column} = ANY({losers}::bigint[]) RETURNING t.*)"
        " SELECT {column}, jsonb_agg(to_jsonb(gone)) FROM gone GROUP BY 1",
        table=identifier(table),
        column=identifier(column),
        losers=list(pairs),
    )
    return by_loser(fetch(query))


def share(pairs: Pairs, table: str, keys: Sequence[str]) -> Moved:
    """For tables with one row per customer and `keys`: the winners take the losers' rows where they have none.

    What the losers had is kept as whole rows under the table's name, what the winners got under the name and "+".
    """
    names = Sql(", ").join(sql("g.{name}", name=identifier(name)) for name in keys)
    query = sql(
        "WITH gone AS (DELETE FROM {table} WHERE customer_id = ANY({losers}::bigint[]) RETURNING *),"
        " first AS (SELECT DISTINCT ON (pairs.winner{comma}{keys}) pairs.loser,"
        " to_jsonb(g) || jsonb_build_object('customer_id', pairs.winner) AS row"
        " FROM gone g JOIN {pairs} ON pairs.loser = g.customer_id ORDER BY pairs.winner{comma}{keys}, pairs.loser),"
        " got AS (INSERT INTO {table} SELECT r.* FROM first f, jsonb_populate_record(NULL::{table}, f.row) r"
        " ON CONFLICT DO NOTHING RETURNING *)"
        " SELECT g.customer_id, jsonb_agg(to_jsonb(g)), coalesce((SELECT jsonb_agg(f.row) FROM first f"
        " JOIN got ON to_jsonb(got) = f.row WHERE f.loser = g.customer_id), '[]') FROM gone g GROUP BY 1",
        table=identifier(table),
        losers=list(pairs),
        pairs=pairs_sql(pairs),
        comma=Sql(", " if keys else ""),
        keys=names,
    )
    rows = fetch(query)
    return {
        table: by_loser([(loser, had) for loser, had, _ in rows]),
        f"{table}+": by_loser([(loser, got) for loser, _, got in rows]),
    }


def unshare(given: Return, table: str) -> int:
    """Undo `share`: the winner gives up what it got and has not changed since, the loser gets its rows again."""
    got = given.moved.get(f"{table}+")
    if got:
        query = sql(
            "DELETE FROM {table} t WHERE customer_id = {winner}"
            " AND to_jsonb(t) IN (SELECT value FROM jsonb_array_elements({got}::jsonb))",
            table=identifier(table),
            winner=given.winner,
            got=json.dumps(list(got)),
        )
        execute(query)
    return put_back(given, table)


def give_back(given: Return, table: str, key: str = "id", cast: str = "bigint") -> int:
    """Let the rows that `hand_over` moved be the loser's again, as far as they are still the winner's."""
    keys = given.moved.get(table)
    if not keys:
        return 0
    query = sql(
        "UPDATE {table} SET customer_id = {loser} WHERE customer_id = {winner} AND {key} IN"
        " (SELECT value::{cast} FROM jsonb_array_elements_text({keys}::jsonb))",
        table=identifier(table),
        key=identifier(key),
        cast=Sql(cast),
        loser=given.loser,
        winner=given.winner,
        keys=json.dumps(list(keys)),
    )
    return execute(query)


def put_back(given: Return, table: str) -> int:
    """Write the rows again that `take_out` deleted; those whose place is taken by now stay away."""
    rows = given.moved.get(table)
    if not rows:
        return 0
    query = sql(
        "INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, {rows}::jsonb)"
        " ON CONFLICT DO NOTHING",
        table=identifier(table),
        rows=json.dumps(list(rows)),
    )
    return execute(query)
