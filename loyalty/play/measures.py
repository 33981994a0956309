"""Pure: what a challenge adds up, as SQL over events with `occurred_at`, `id` and `properties`."""

from loyalty.kit.sql import Sql, sql
from loyalty.play.definition import ChallengeDocument, LeaderboardDocument, Measure
from loyalty.program.conditions import holds_sql

NUMBER = r"^[+-]?[0-9]{1,12}(\.[0-9]{1,12})?$"


def fits(document: ChallengeDocument | LeaderboardDocument, alias: str) -> Sql:
    """Boolean SQL: the event counts, as far as its properties say."""
    return holds_sql(document.where, Sql(f"{alias}.properties"))


def _number(measure: Measure, alias: str) -> Sql:
    value = sql("({alias}.properties ->> {key})", alias=Sql(alias), key=measure.sum)
    return sql("CASE WHEN {value} ~ {number} THEN greatest({value}::numeric, 0) END", value=value, number=NUMBER)


def _sameness(measure: Measure, alias: str, zone: str) -> Sql:
    """What makes two events the same for a measure of different things."""
    if measure.days:
        return sql("({alias}.occurred_at AT TIME ZONE {zone})::date::text", alias=Sql(alias), zone=zone)
    return sql("({alias}.properties ->> {key})", alias=Sql(alias), key=measure.distinct)


def value(measure: Measure, alias: str, *, scope: Sql, zone: str) -> Sql:
    """What one event adds within its `scope` (columns that the events are grouped by), in the order of time."""
    if measure.count:
        return Sql("1::numeric")
    if measure.sum:
        return sql("coalesce({number}, 0)", number=_number(measure, alias))
    same = _sameness(measure, alias, zone)
    return sql(
        "CASE WHEN {same} IS NOT NULL AND row_number() OVER (PARTITION BY {scope}, {same}"
        " ORDER BY {alias}.occurred_at, {alias}.id) = 1 THEN 1::numeric ELSE 0 END",
        same=same,
        scope=scope,
        alias=Sql(alias),
    )


def total(measure: Measure, alias: str, zone: str) -> Sql:
    """The aggregate of all events at once."""
    if measure.count:
        return Sql("count(*)::numeric")
    if measure.sum:
        return sql("coalesce(sum({number}), 0)", number=_number(measure, alias))
    return sql("count(DISTINCT {same})::numeric", same=_sameness(measure, alias, zone))
