"""What earns stamps and plays: the taken events that fit, with how much each gives after its limit."""

from loyalty.kit.sql import Sql, sql
from loyalty.play.definition import Source
from loyalty.program.conditions import holds_sql

_NUMBER = r"^[+-]?[0-9]{1,30}(\.[0-9]{1,30})?$"
_UNIT = {"day": "1 day", "week": "1 week", "month": "1 month", "year": "1 year"}

_GRANTED = """SELECT customer_id, event_id, occurred_at, granted FROM (
    SELECT f.customer_id, f.event_id, f.occurred_at, {granted} AS granted FROM (
        SELECT t.customer_id, t.event_id, t.occurred_at, t.count, {period} AS period,
            sum(t.count) OVER (PARTITION BY t.customer_id, {period} ORDER BY t.occurred_at, t.event_id) AS upto
        FROM (
            SELECT t.customer_id, t.event_id, t.occurred_at, {count} AS count
            FROM taken_event t JOIN event_type y ON y.id = t.type_id
            WHERE y.name = {event} AND {where} AND {audience}
        ) t WHERE t.count > 0
    ) f
) g WHERE granted > 0"""


def number_sql(value: Sql) -> Sql:
    """A text as a number; NULL where it is none."""
    return sql("CASE WHEN {value} ~ {number} THEN {value}::numeric END", value=value, number=_NUMBER)


def granted(source: Source, *, label: str, table: str, owner: Sql, audience: Sql, zone: str) -> Sql:
    """A SELECT of customer_id, event_id, occurred_at, granted for the events of this transaction's `taken_event`.

    Earlier gifts of the same source are counted in `table` (`stamp` or `game_ticket`), where `owner` is a condition
    over it (alias `s`) and `label` its source. `audience` is a condition over `t.customer_id`.
    """
    count = Sql(str(source.count))
    if source.each is not None:
        value = number_sql(sql("(t.properties ->> {key})", key=source.each.property))
        count = sql(
            "(greatest(0, least(coalesce(floor({value} / {of}::numeric), 0), 1000)) * {count})::int",
            value=value,
            of=source.each.of,
            count=count,
        )
    return sql(
        _GRANTED,
        count=count,
        event=source.event,
        where=holds_sql(source.where, Sql("t.properties")),
        audience=audience,
        period=_period(source, Sql("t.occurred_at"), zone),
        granted=_limited(source, label, table, owner, zone),
    )


def _period(source: Source, at: Sql, zone: str) -> Sql:
    if source.most is None or source.most.per == "ever":
        return Sql("NULL::timestamp")
    unit = Sql(source.most.per)
    return sql("date_trunc('{unit}', {at} AT TIME ZONE {zone})", unit=unit, at=at, zone=zone)


def _limited(source: Source, label: str, table: str, owner: Sql, zone: str) -> Sql:
    if source.most is None:
        return Sql("f.count")
    span = Sql("")
    if source.most.per != "ever":
        span = sql(
            " AND s.at >= f.period AT TIME ZONE {zone} AND s.at < (f.period + {length}::interval) AT TIME ZONE {zone}",
            zone=zone,
            length=_UNIT[source.most.per],
        )
    column = Sql("count" if table == "stamp" else "plays")
    return sql(
        "greatest(0, least(f.count, {most} - (f.upto - f.count) - (SELECT coalesce(sum(s.{column}), 0) FROM {table} s"
        " WHERE s.customer_id = f.customer_id AND {owner} AND s.source = {label}{span})))::int",
        most=source.most.max,
        column=column,
        table=Sql(table),
        owner=owner,
        label=label,
        span=span,
    )
