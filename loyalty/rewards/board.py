"""Reads for the staff: the board of what is to be done, the list for a supplier, how a reward does."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection, transaction

from loyalty.kit.spreadsheets import cell
from loyalty.kit.sql import fetch, fetch_values, sql
from loyalty.rewards import names
from loyalty.rewards.orders import ADDRESS

SHOWN = 25
COUNTED = 10_000
WEEKS = 12
ROWS = 1_000
_EXPORTED = ("number", "reward", "name", "quantity", "state", "ordered_at", "supplier", "note", *ADDRESS)

_WORK = (
    "FROM reward_redemption o JOIN reward r ON r.id = o.reward_id WHERE o.state = s.state AND r.type <> 'bundle'"
    " AND ({supplier}::text IS NULL OR r.definition ->> 'supplier' = {supplier}::text)"
    " AND ({key}::text IS NULL OR r.key = {key}::text)"
)


@dataclass(frozen=True, slots=True)
class Column:
    """What is in one state: the oldest of it, and how much there is (at most `COUNTED` are counted)."""

    state: str
    count: int
    cards: list[dict[str, Any]]


def columns(*, supplier: str | None = None, reward: str | None = None) -> list[Column]:
    """The open redemptions by state, oldest first; the parts of a bundle stand by themselves. Two queries."""
    states = sql("unnest({states}::text[]) AS s (state)", states=list(names.OPEN))
    work = sql(_WORK, supplier=supplier, key=reward)
    counts = dict(
        fetch(
            sql(
                "SELECT s.state, (SELECT count(*) FROM (SELECT {work} LIMIT {most}) c) FROM {states}",
                work=work,
                most=COUNTED,
                states=states,
            )
        )
    )
    rows = fetch_values(
        sql(
            "SELECT s.state AS column, o.*, c.first_name, c.last_name, c.external_id FROM {states} CROSS JOIN LATERAL ("
            " SELECT o.id, o.parent_id, o.customer_id, o.quantity, o.ordered_at, o.state_since, o.address, o.tracking,"
            " o.note, r.key, r.name, r.type, r.definition ->> 'supplier' AS supplier"
            " {work} ORDER BY o.ordered_at, o.id LIMIT {shown}) o LEFT JOIN customer c ON c.id = o.customer_id"
            " ORDER BY o.ordered_at, o.id",
            states=states,
            work=work,
            shown=SHOWN,
        )
    )
    return [Column(one, counts.get(one, 0), [row for row in rows if row["column"] == one]) for one in names.OPEN]


def suppliers() -> list[str]:
    """Everybody who supplies a reward."""
    rows = fetch(
        "SELECT DISTINCT definition ->> 'supplier' FROM reward WHERE definition ->> 'supplier' IS NOT NULL"
        " ORDER BY 1 LIMIT 200"
    )
    return [row[0] for row in rows]


def parcels(*, states: Sequence[str], supplier: str | None = None) -> Iterator[str]:
    """CSV for who packs: the header, then one line a parcel with an address, oldest first. Texts are never formulas."""
    yield _line(_EXPORTED)
    query = sql(
        "SELECT o.id, r.key, coalesce(r.name ->> 'en', r.key), o.quantity, o.state, o.ordered_at,"
        " r.definition ->> 'supplier', o.note, o.address::text FROM reward_redemption o"
        " JOIN reward r ON r.id = o.reward_id WHERE o.state = ANY({states}::text[]) AND r.type = 'physical'"
        " AND o.address IS NOT NULL AND ({supplier}::text IS NULL OR r.definition ->> 'supplier' = {supplier}::text)"
        " ORDER BY o.ordered_at, o.id",
        states=list(states),
        supplier=supplier,
    )
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(query.text, query.params)
        while rows := cursor.fetchmany(ROWS):
            yield "".join(_parcel(row) for row in rows)


def _parcel(row: Sequence[Any]) -> str:
    *values, address = row
    where = json.loads(address)
    values[5] = values[5].isoformat()
    return _line([cell(one, numbers=True) for one in [*values, *(where.get(name) for name in ADDRESS)]])


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def weeks(reward_id: int, *, now: datetime) -> list[tuple[datetime, int]]:
    """Pieces redeemed in each of the last weeks (Monday, number), without what was cancelled."""
    zone = settings.TIME_ZONE
    monday = now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    first = monday - timedelta(days=monday.weekday(), weeks=WEEKS - 1)
    rows = fetch(
        sql(
            "SELECT date_trunc('week', ordered_at AT TIME ZONE {zone})::date, sum(quantity)::int FROM reward_redemption"
            " WHERE reward_id = {reward} AND ordered_at >= {first} AND state <> 'cancelled' GROUP BY 1",
            zone=zone,
            reward=reward_id,
            first=first,
        )
    )
    found = dict(rows)
    days = [first + timedelta(weeks=number) for number in range(WEEKS)]
    return [(day, found.get(day.date(), 0)) for day in days]


def figures(reward_id: int) -> dict[str, int]:
    """How many stand in which state, who wishes for it, how many codes are free; one query."""
    rows = fetch_values(
        sql(
            "SELECT (SELECT count(*) FROM reward_redemption WHERE reward_id = {id} AND state = ANY({open}::text[]))"
            " AS open, (SELECT count(*) FROM reward_redemption WHERE reward_id = {id} AND state = 'cancelled')"
            " AS cancelled, (SELECT coalesce(sum(points), 0)::bigint FROM reward_redemption WHERE reward_id = {id}"
            " AND state <> 'cancelled') AS points, (SELECT count(*) FROM wish WHERE reward_id = {id}) AS wishes,"
            " (SELECT count(*) FROM reward_code WHERE reward_id = {id} AND redemption_id IS NULL) AS codes",
            id=reward_id,
            open=list(names.OPEN),
        )
    )
    return rows[0]


def low_stock() -> list[tuple[str, int, int, str]]:
    """(key, left, alarm at, name as JSON) of active rewards that run out."""
    return fetch(
        "SELECT key, stock - taken, coalesce(low_stock, 0), name::text FROM reward WHERE state = 'active'"
        " AND stock IS NOT NULL AND stock - taken <= coalesce(low_stock, 0) ORDER BY stock - taken, key LIMIT 200"
    )
