"""What happened: `{event: purchase, count: {gte: 3}, within: 365d, where: {amount: {gte: 50}}}`."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext
from pydantic import BaseModel, ConfigDict, Field

from campaigns.segments import properties, words
from campaigns.segments.comparisons import (
    NEGATIVE,
    Compared,
    Comparisons,
    EventName,
    Instant,
    Moment,
    Window,
    misfit,
)
from campaigns.segments.operator import Context, Operator, Reads, operators
from campaigns.segments.values import (
    Value,
    all_hold,
    clocked,
    instant_value,
    json_item,
    number_value,
)
from loyalty.kit.problems import Problem
from loyalty.kit.sql import Sql, sql

NUMERIC = ("sum", "avg", "min", "max")
AGGREGATES = ("count", *NUMERIC, "first", "last", "days")


class EventParameters(BaseModel):
    """At most one aggregate; without one the event must have happened at least once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    event: EventName
    count: Compared | None = None
    sum: Compared | None = None
    avg: Compared | None = None
    min: Compared | None = None
    max: Compared | None = None
    first: Compared | None = None
    last: Compared | None = None
    days: Compared | None = None
    of: str | None = Field(None, min_length=1, max_length=200)
    within: Window = None
    start: Instant = Field(None, alias="from")
    end: Instant = Field(None, alias="to")
    where: dict[str, Compared] = Field(default_factory=dict, max_length=properties.MAX_CONDITIONS)

    @property
    def aggregate(self) -> str:
        """Which aggregate is compared."""
        return next((name for name in AGGREGATES if getattr(self, name) is not None), "count")

    @property
    def comparisons(self) -> Comparisons:
        """What it is compared with."""
        return getattr(self, self.aggregate) or Comparisons(gte=1)

    @property
    def kind(self) -> str:
        """The kind of value that is compared."""
        if self.aggregate in ("first", "last"):
            return "any" if self.of else "date"
        return "number"

    def missing_matches(self) -> bool:
        """Whether the comparisons hold for a customer without such an event.

        Positive ones never do, so that "at most 2 purchases" means people who buy. Those that name zero (`eq: 0`,
        `lt: 1`, `lte: 0`, `gte: 0`, 0 in a list) ask for absence in so many words.
        """
        said = list(self.comparisons.said())
        if self.aggregate in ("count", "days"):
            named = any(_names_zero(name, operand) for name, operand in said)
            negative = all(name in NEGATIVE for name, _ in said)
            return (named or negative) and all(_zero_holds(name, operand) for name, operand in said)
        return all(name in NEGATIVE or (name == "is_set" and not operand) for name, operand in said)


@operators.register("event")
class EventOperator(Operator):
    """One read of the index on (type, time) per condition, or of (customer, type, time) when few customers are asked
    for.
    """

    parameters = EventParameters

    def mistakes(self, parameters: EventParameters) -> list[Problem]:
        aggregate = parameters.aggregate
        found = []
        named = [name for name in AGGREGATES if getattr(parameters, name) is not None]
        if len(named) > 1:
            found.append(Problem(named[1], f"stands beside {named[0]}", "write two conditions, combined by all"))
        if aggregate in NUMERIC and parameters.of is None:
            found.append(Problem(aggregate, "needs the property that is computed", "add for example of: amount"))
        if aggregate in ("count", "days") and parameters.of is not None:
            found.append(Problem("of", f"has no meaning with {aggregate}", "remove it"))
        ranged = parameters.start is not None or parameters.end is not None
        if parameters.within is not None and ranged:
            found.append(Problem("within", "stands beside 'from' or 'to'", "choose one of them"))
        both = parameters.start is not None and parameters.end is not None
        if both and parameters.start.at("UTC") > parameters.end.at("UTC"):
            found.append(Problem("from", "is after 'to'", "swap them"))
        for name, operand in parameters.comparisons.said():
            counted = name == "is_set" and aggregate not in ("first", "last")
            problem = "is_set fits first and last only" if counted else misfit(name, operand, parameters.kind)
            if problem:
                found.append(Problem(f"{aggregate}.{name}", problem, "correct the comparison"))
        return found

    def sentence(self, parameters: EventParameters) -> str:
        window, where = _window_words(parameters), words.conditions(parameters.where)
        # "happened 3 times in the last month", but "the sum .. is more than 100, in the last month".
        link = " " if parameters.aggregate in ("count", "days") else ", "
        main = link.join(part for part in (_deed(parameters), window) if part)
        return f"{main}, {where}" if where else main

    def condition(self, parameters: EventParameters, context: Context) -> Sql:
        absent = parameters.missing_matches()
        type_id = context.type_ids.get(parameters.event)
        if type_id is None:
            return Sql("TRUE" if absent else "FALSE")
        source = _source(parameters, type_id, context, context.within_scope("e.customer_id"))
        holds = all_hold(_value(parameters, context), parameters.comparisons.said(), context.clock)
        if absent:
            found = _customers(parameters, source, sql("{holds} IS NOT TRUE", holds=holds))
            return sql("(c.id IN ({found})) IS NOT TRUE", found=found)
        return sql("c.id IN ({found})", found=_customers(parameters, source, holds))

    def value(self, parameters: EventParameters, context: Context) -> Sql | None:
        type_id = context.type_ids.get(parameters.event)
        if type_id is None:
            return Sql("'0'") if parameters.aggregate in ("count", "days") else Sql("NULL::text")
        source = _source(parameters, type_id, context, Sql(" AND e.customer_id = c.id"))
        if parameters.aggregate in ("first", "last") and parameters.of:
            return sql("(SELECT f.value #>> '{{}}' FROM ({picked}) f)", picked=_picked(parameters, source))
        value = _value(parameters, context)
        shown = value.moment if parameters.kind == "date" else value.number
        return sql("(SELECT ({shown})::text {source})", shown=shown, source=source)

    def reads(self, parameters: EventParameters) -> Reads:
        windows = [] if parameters.within is None else [(parameters.event, parameters.within)]
        said = list(parameters.comparisons.said())
        clock = any(True for comparisons in parameters.where.values() for _ in clocked(comparisons.said()))
        if parameters.kind == "date":
            windows += [(parameters.event, operand) for name, operand in said if name == "within"]
            clock = clock or any(name == "anniversary_within" for name, _ in said)
        else:
            clock = clock or any(True for _ in clocked(said))
        return Reads(events=frozenset({parameters.event}), windows=tuple(windows), clock=clock)


def _deed(parameters: EventParameters) -> str:
    """What happened and how often, without the window."""
    said = list(parameters.comparisons.said())
    names = {"event": parameters.event, "of": parameters.of}
    if _once(parameters):
        return gettext("“%(event)s” happened") % names
    if parameters.aggregate in ("count", "days") and said in ([("eq", Decimal(0))], [("lt", Decimal(1))]):
        return gettext("“%(event)s” did not happen") % names
    if parameters.aggregate == "count":
        return gettext("“%(event)s” happened %(times)s") % {**names, "times": words.times(said)}
    if parameters.aggregate == "days":
        return gettext("“%(event)s” happened on %(days)s") % {**names, "days": words.days(said)}
    if parameters.aggregate in ("first", "last") and parameters.of is None:
        templates = {
            "first": gettext("the time of the first “%(event)s” %(comparison)s"),
            "last": gettext("the time of the latest “%(event)s” %(comparison)s"),
        }
    else:
        templates = {
            "sum": gettext("the sum of %(of)s over all “%(event)s” %(comparison)s"),
            "avg": gettext("the average of %(of)s over all “%(event)s” %(comparison)s"),
            "min": gettext("the smallest %(of)s of all “%(event)s” %(comparison)s"),
            "max": gettext("the largest %(of)s of all “%(event)s” %(comparison)s"),
            "first": gettext("%(of)s of the first “%(event)s” %(comparison)s"),
            "last": gettext("%(of)s of the latest “%(event)s” %(comparison)s"),
        }
    return templates[parameters.aggregate] % {**names, "comparison": words.phrase(said)}


def _source(parameters: EventParameters, type_id: int, context: Context, scope: Sql) -> Sql:
    """`FROM event e WHERE ..`: the events that are looked at."""
    clock = context.clock
    # What is dated after now has not happened yet, whatever the window.
    bounds = sql(" AND e.occurred_at <= {now}::timestamptz", now=clock.instant())
    if parameters.within is not None:
        bounds = sql(
            "{bounds} AND e.occurred_at > {opening}::timestamptz",
            bounds=bounds,
            opening=clock.opening(parameters.within),
        )
    if parameters.start is not None:
        bounds = sql(
            "{bounds} AND e.occurred_at >= {start}::timestamptz", bounds=bounds, start=parameters.start.at(clock.zone)
        )
    if parameters.end is not None:
        bounds = sql(
            "{bounds} AND e.occurred_at < {end}::timestamptz", bounds=bounds, end=_end(parameters.end, clock.zone)
        )
    where = (
        sql(" AND {where}", where=properties.compiled(parameters.where, Sql("e.properties"), clock))
        if parameters.where
        else Sql("")
    )
    return sql(
        "FROM event e WHERE e.type_id = {type_id}{bounds}{where}{scope}",
        type_id=type_id,
        bounds=bounds,
        where=where,
        scope=scope,
    )


def _end(moment: Moment, zone: str) -> Any:
    """`to` is where the range ends: an instant is outside, a day belongs to it as a whole."""
    return Moment(day=moment.day + timedelta(days=1)).at(zone) if moment.day else moment.at(zone)


def _value(parameters: EventParameters, context: Context) -> Value:
    """The aggregate, as it stands in HAVING (or over the picked event's `f.value`)."""
    zone = context.clock.zone
    if parameters.aggregate == "count":
        return number_value(Sql("count(*)"))
    if parameters.aggregate == "days":
        return number_value(sql("count(DISTINCT (e.occurred_at AT TIME ZONE {zone})::date)", zone=zone))
    if parameters.aggregate in NUMERIC:
        number = sql("segment_number(e.properties -> {of}::text)", of=parameters.of)
        return number_value(sql("{aggregate}({number})", aggregate=Sql(parameters.aggregate), number=number))
    if parameters.of:
        return json_item(Sql("f.value"), zone)
    return instant_value(Sql("min(e.occurred_at)" if parameters.aggregate == "first" else "max(e.occurred_at)"), zone)


def _customers(parameters: EventParameters, source: Sql, holds: Sql) -> Sql:
    """Selects the customers whose aggregate holds."""
    if _once(parameters):
        return sql("SELECT e.customer_id {source}", source=source)
    if parameters.aggregate in ("first", "last") and parameters.of:
        return sql(
            "SELECT f.customer_id FROM ({picked}) f WHERE {holds}", picked=_picked(parameters, source), holds=holds
        )
    return sql("SELECT e.customer_id {source} GROUP BY e.customer_id HAVING {holds}", source=source, holds=holds)


def _once(parameters: EventParameters) -> bool:
    """Whether being found at all is the condition: then nothing needs to be grouped and counted."""
    said = list(parameters.comparisons.said())
    return parameters.aggregate == "count" and said in ([("gte", Decimal(1))], [("gt", Decimal(0))])


def _picked(parameters: EventParameters, source: Sql) -> Sql:
    """Each customer's first or last event with its property; of several at one instant the one recorded first or
    last.
    """
    direction = Sql("" if parameters.aggregate == "first" else " DESC")
    return sql(
        "SELECT DISTINCT ON (e.customer_id) e.customer_id, e.properties -> {of}::text AS value {source}"
        " ORDER BY e.customer_id, e.occurred_at{direction}, e.id{direction}",
        of=parameters.of,
        source=source,
        direction=direction,
    )


def _names_zero(name: str, operand: Any) -> bool:
    if name == "lt":
        return 0 < _as_number(operand) <= 1
    if name in ("eq", "gte", "lte"):
        return _as_number(operand) == 0
    return name == "in" and any(_as_number(item) == 0 for item in operand)


def _zero_holds(name: str, operand: Any) -> bool:
    if name in ("in", "not_in"):
        return any(_as_number(item) == 0 for item in operand) == (name == "in")
    number = _as_number(operand)
    return {
        "eq": number == 0,
        "ne": number != 0,
        "gt": number < 0,
        "gte": number <= 0,
        "lt": number > 0,
        "lte": number >= 0,
    }[name]


def _as_number(operand: Any) -> Decimal:
    return Decimal(operand)


def _window_words(parameters: EventParameters) -> str:
    if parameters.within is not None:
        return words.in_the_last(parameters.within)
    if parameters.start is not None and parameters.end is not None:
        return gettext("from %(start)s to %(end)s") % {"start": parameters.start, "end": parameters.end}
    if parameters.start is not None:
        return gettext("since %(start)s") % {"start": parameters.start}
    return gettext("until %(end)s") % {"end": parameters.end} if parameters.end is not None else ""
