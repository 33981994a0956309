"""RFM: how recently, how often and for how much each customer bought, in fifths of all buyers, and what that makes
them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from loyalty.events.names import fold, is_name
from loyalty.events.types import known
from loyalty.insights.feature import Feature, Insight, features
from loyalty.kit.periods import Period
from loyalty.kit.sql import Sql, sql

# Fifths of fewer people say nothing.
FEWEST = 5

SEGMENTS: dict[str, Any] = {
    "champions": _("Champions"),
    "loyal": _("Loyal"),
    "potential_loyalist": _("Potential loyalists"),
    "new": _("New"),
    "promising": _("Promising"),
    "need_attention": _("Need attention"),
    "about_to_sleep": _("About to sleep"),
    "at_risk": _("At risk"),
    "cannot_lose": _("Cannot lose"),
    "hibernating": _("Hibernating"),
    "lost": _("Lost"),
}
# By recency (1 long ago to 5 just now), each row by frequency 1 to 5. Vendors differ here, so it is a table to read.
GRID: Mapping[int, tuple[str, str, str, str, str]] = {
    5: ("new", "potential_loyalist", "potential_loyalist", "champions", "champions"),
    4: ("promising", "potential_loyalist", "potential_loyalist", "loyal", "loyal"),
    3: ("about_to_sleep", "about_to_sleep", "need_attention", "loyal", "loyal"),
    2: ("hibernating", "hibernating", "at_risk", "at_risk", "cannot_lose"),
    1: ("lost", "hibernating", "at_risk", "at_risk", "cannot_lose"),
}
RECENCY, FREQUENCY, MONETARY, PURCHASES, REVENUE = range(1, 6)


def _event(value: str) -> str:
    if not is_name(fold(value)):
        raise ValueError("is no event name: use 1 to 100 of a-z 0-9 _ . : -")
    return fold(value)


def _period(value: str | None) -> str | None:
    return None if value is None else str(Period.parse(value))


class RfmParameters(BaseModel):
    """Which event is a purchase, which of its properties is the amount, how far back purchases count, and whether equal
    values stay in one fifth (`together`: whoever bought once is in the first) or may fall into several (`rank`, the
    published way, so that each fifth holds as many people)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    event: Annotated[str, AfterValidator(_event)] = "purchase"
    value: str = Field("amount", min_length=1, max_length=200)
    within: Annotated[str | None, AfterValidator(_period)] = None
    ties: Literal["together", "rank"] = "together"


def segment_of(recency: int, frequency: int) -> str:
    """The name of a cell of the grid."""
    return GRID[recency][frequency - 1]


@features.register("rfm")
class RfmFeature(Feature):
    """Five fifths each of recency, frequency and amount, 5 being the best, over everybody who bought."""

    parameters = RfmParameters
    insights = (
        Insight("rfm_segment", "label", _("RFM segment"), choices=SEGMENTS),
        Insight("rfm_recency", "number", _("RFM recency"), low=1, high=5),
        Insight("rfm_frequency", "number", _("RFM frequency"), low=1, high=5),
        Insight("rfm_monetary", "number", _("RFM amount"), low=1, high=5),
        Insight("rfm_purchases", "number", _("number of purchases"), low=1),
        Insight("rfm_revenue", "number", _("revenue")),
    )

    def sentence(self, parameters: RfmParameters) -> str:
        said = {"event": parameters.event, "value": parameters.value, "within": parameters.within}
        if parameters.within is None:
            return gettext("Over all “%(event)s” events, their amount being “%(value)s”.") % said
        return gettext("Over the “%(event)s” events of the last %(within)s, their amount being “%(value)s”.") % said

    def rows(self, parameters: RfmParameters, *, now: datetime) -> Sql:
        since = Sql("")
        if parameters.within is not None:
            opening = Period.parse(parameters.within).subtract_from(now, settings.TIME_ZONE)
            since = sql(" AND e.occurred_at > {opening}::timestamptz", opening=opening)
        place = _shared_place if parameters.ties == "together" else _place
        return sql(
            """
            SELECT s.customer_id, {segment} AS label,
                ARRAY[s.recency, s.frequency, s.monetary, s.purchases, s.revenue]::numeric[] AS numbers
            FROM (
                SELECT p.customer_id, p.purchases, p.revenue,
                    6 - greatest(1, ceil(5.0 * (p.r - 1) / (p.buyers - 1)))::int AS recency,
                    greatest(1, ceil(5.0 * (p.f - 1) / (p.buyers - 1)))::int AS frequency,
                    greatest(1, ceil(5.0 * (p.m - 1) / (p.buyers - 1)))::int AS monetary
                FROM (
                    SELECT b.customer_id, b.purchases, b.revenue, count(*) OVER () AS buyers,
                        {r} AS r, {f} AS f, {m} AS m
                    FROM (
                        SELECT e.customer_id, max(e.occurred_at) AS last_at, count(*) AS purchases,
                            coalesce(sum({amount}), 0) AS revenue
                        FROM event e
                        WHERE e.type_id = {type_id}::int AND e.occurred_at <= {now}::timestamptz{since}
                        GROUP BY e.customer_id
                    ) b
                ) p
                WHERE p.buyers >= {fewest}
            ) s""",
            segment=_segment_sql(),
            r=place(Sql("b.last_at"), descending=True),
            f=place(Sql("b.purchases")),
            m=place(Sql("b.revenue")),
            amount=_amount(parameters.value),
            type_id=known([parameters.event]).get(parameters.event),
            now=now,
            since=since,
            fewest=FEWEST,
        )


def _place(value: Sql, *, descending: bool = False) -> Sql:
    """The place in the order from 1; of equal values the older customer comes first."""
    direction = Sql(" DESC" if descending else "")
    return sql("row_number() OVER (ORDER BY {v}{direction}, b.customer_id)", v=value, direction=direction)


def _shared_place(value: Sql, *, descending: bool = False) -> Sql:
    """The place in the order; equal values share the first of the places they take."""
    return sql("rank() OVER (ORDER BY {v}{direction})", v=value, direction=Sql(" DESC" if descending else ""))


def _amount(key: str) -> Sql:
    """The property as a number: a JSON number, decimal text, or money ({"amount": ...}); NULL for anything else."""
    number = "CASE jsonb_typeof({v}) WHEN 'number' THEN ({v} #>> '{{}}')::numeric WHEN 'string' THEN CASE WHEN"
    number += " {v} #>> '{{}}' ~ '^[+-]?[0-9]{{1,30}}(\\.[0-9]{{1,30}})?$' THEN ({v} #>> '{{}}')::numeric END{more} END"
    value = sql("(e.properties -> {key}::text)", key=key)
    inner = sql("({v} -> 'amount')", v=value)
    money = sql(" WHEN 'object' THEN {inner}", inner=sql(number, v=inner, more=Sql("")))
    return sql(number, v=value, more=money)


def _segment_sql() -> Sql:
    """The grid as an array that is asked by recency and frequency."""
    names = [name for recency in range(1, 6) for name in GRID[recency]]
    return sql("({names}::text[])[(s.recency - 1) * 5 + s.frequency]", names=names)
