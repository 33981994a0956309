"""What happened in which order: `{sequence: [{event: cart_updated, within: 7d}, {not: purchase, for: 2h}]}`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext
from pydantic import BaseModel, ConfigDict, Field, model_validator

from campaigns.segments import properties, words
from campaigns.segments.comparisons import Compared, EventName, Window
from campaigns.segments.operator import Context, Operator, Reads, field_names, operators
from campaigns.segments.values import clocked
from loyalty.kit.periods import Period
from loyalty.kit.problems import Problem
from loyalty.kit.sql import Sql, sql

# Each step is a semi-join with the timeline.
MOST_STEPS = 6


class Step(BaseModel):
    """Either `event`, with the time it may take, or `not`, with the time in which it did not happen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    event: EventName | None = None
    absent: EventName | None = Field(None, alias="not")
    within: Window = None
    lasting: Window = Field(None, alias="for")
    where: dict[str, Compared] = Field(default_factory=dict, max_length=properties.MAX_CONDITIONS)

    @model_validator(mode="after")
    def _one_of_both(self) -> "Step":
        if (self.event is None) == (self.absent is None):
            raise ValueError("a step is either {event: ...} or {not: ...}")
        if self.absent is not None and self.within is not None:
            raise ValueError("'not' takes 'for', the time in which it did not happen; 'within' belongs to 'event'")
        if self.event is not None and self.lasting is not None:
            raise ValueError("'event' takes 'within', the time it may take; 'for' belongs to 'not'")
        return self

    @property
    def name(self) -> str:
        """The event that the step is about."""
        return self.event or self.absent or ""


class SequenceParameters(BaseModel):
    """The steps in their order; `within` is the window of the first one, so that the whole lies in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sequence: tuple[Step, ...] = Field(min_length=1, max_length=MOST_STEPS)
    within: Window = None

    @property
    def window(self) -> Period | None:
        """How long ago the sequence may have begun."""
        return self.within or self.sequence[0].within


@dataclass(frozen=True, slots=True)
class _Place:
    """An instant in the timeline in SQL: when the event of this alias happened, and so many seconds later."""

    alias: str
    seconds: int = 0

    def later(self, period: Period) -> "_Place":
        return _Place(self.alias, self.seconds + (period.seconds or 0))

    def sql(self) -> Sql:
        at = Sql(f"{self.alias}.occurred_at")
        # As seconds: an interval of days would be laid along the session's calendar.
        return sql("({at} + make_interval(secs => {n}))", at=at, n=self.seconds) if self.seconds else at


@operators.register("sequence")
class SequenceOperator(Operator):
    """True when the timeline has events that fit all steps; the time of a step begins when the one before is over.

    An event step lies in `(before, before + within]`. `not` with `for`: nothing such in `(before, before + for]`, which
    is over; without `for`: nothing such up to the next event step, or up to now.
    """

    parameters = SequenceParameters

    def vocabulary(self, place: str) -> tuple[str, ...]:
        if place.startswith("sequence[") and place.count(".") == 1:
            return field_names(Step)
        return super().vocabulary(place)

    def mistakes(self, parameters: SequenceParameters) -> list[Problem]:
        steps = parameters.sequence
        found = []
        if steps[0].event is None:
            remedy = "begin with an event, or ask for what never happened with none: [{event: ...}]"
            found.append(Problem("sequence[0]", "nothing comes before the first step", remedy))
        if parameters.within is not None and steps[0].within is not None:
            found.append(Problem("within", "stands beside the window of the first step", "choose one of them"))
        for number, step in enumerate(steps):
            for name, period in (("within", step.within if number else None), ("for", step.lasting)):
                if period is not None and not period.elapsed:
                    remedy = "write 90s, 15m, 2h, 7d or 2w"
                    found.append(Problem(f"sequence[{number}].{name}", "must be elapsed time between events", remedy))
        return found

    def sentence(self, parameters: SequenceParameters) -> str:
        parts = []
        for number, step in enumerate(parameters.sequence):
            text = _first(step, parameters.window) if number == 0 else _following(step)
            parts.append(" ".join(part for part in (text, words.conditions(step.where)) if part))
        return ", ".join(parts)

    def condition(self, parameters: SequenceParameters, context: Context) -> Sql:
        found = _Chain(parameters, context).begun(context.within_scope("e0.customer_id"))
        return Sql("FALSE") if found is None else sql("c.id IN (SELECT e0.customer_id {found})", found=found)

    def value(self, parameters: SequenceParameters, context: Context) -> Sql | None:
        found = _Chain(parameters, context).begun(Sql(" AND e0.customer_id = c.id"))
        if found is None:
            return Sql("NULL::text")
        return sql("(SELECT max(e0.occurred_at)::text {found})", found=found)

    def reads(self, parameters: SequenceParameters) -> Reads:
        steps = parameters.sequence
        windows = [] if parameters.window is None else [(steps[0].name, parameters.window)]
        event, seconds = steps[0].name, 0
        for step in steps[1:]:
            if step.event is not None:
                event, seconds = step.event, 0
            elif step.lasting is not None:
                # When so much time has passed since the event, what did not happen did not happen.
                seconds += step.lasting.seconds or 0
                windows.append((event, Period(seconds=seconds)))
        clock = any(True for step in steps for each in step.where.values() for _ in clocked(each.said()))
        return Reads(events=frozenset(step.name for step in steps), windows=tuple(windows), clock=clock)


class _Chain:
    """The SQL of one sequence: each step is a subquery in the condition of the event before it."""

    def __init__(self, parameters: SequenceParameters, context: Context) -> None:
        self.steps, self.window, self.context = parameters.sequence, parameters.window, context
        self.now: datetime = context.clock.instant()

    def begun(self, scope: Sql) -> Sql | None:
        """`FROM event e0 WHERE ..`; None when an event that is asked for was never seen at all."""
        if any(step.event is not None and step.name not in self.context.type_ids for step in self.steps):
            return None
        opening = Sql("")
        if self.window is not None:
            opening = sql(
                " AND e0.occurred_at > {opening}::timestamptz", opening=self.context.clock.opening(self.window)
            )
        return sql(
            "FROM event e0 WHERE {is_step}{opening}{scope}{rest}",
            is_step=self._is(self.steps[0], "e0"),
            opening=opening,
            scope=scope,
            rest=self._rest(1, _Place("e0"), ()),
        )

    def _rest(self, number: int, before: _Place, pending: tuple[tuple[Step, _Place, int], ...]) -> Sql:
        """` AND ..` for the steps from `number` on; `pending` must not have happened up to the next event, or now."""
        if number == len(self.steps):
            return Sql("").join(self._never(step, since, self._now(), at) for step, since, at in pending)
        step = self.steps[number]
        if step.absent is None:
            return self._follows(number, before, pending)
        if step.lasting is None:
            return self._rest(number + 1, before, (*pending, (step, before, number)))
        after = before.later(step.lasting)
        return sql(
            " AND {after} <= {now}{never}{rest}",
            after=after.sql(),
            now=self._now(),
            never=self._never(step, before, after.sql(), number),
            rest=self._rest(number + 1, after, pending),
        )

    def _follows(self, number: int, before: _Place, pending: tuple[tuple[Step, _Place, int], ...]) -> Sql:
        step, alias = self.steps[number], f"e{number}"
        until = Sql("")
        if step.within is not None:
            until = sql(" AND {alias}.occurred_at <= {end}", alias=Sql(alias), end=before.later(step.within).sql())
        ends = Sql(f"{alias}.occurred_at")
        return sql(
            " AND EXISTS (SELECT FROM event {alias} WHERE {alias}.customer_id = {before}.customer_id AND {is_step}"
            " AND {alias}.occurred_at > {since}{until}{never}{rest}{scope})",
            alias=Sql(alias),
            before=Sql(before.alias),
            is_step=self._is(step, alias),
            since=before.sql(),
            until=until,
            never=Sql("").join(self._never(one, since, ends, at) for one, since, at in pending),
            rest=self._rest(number + 1, _Place(alias), ()),
            scope=self.context.within_scope(f"{alias}.customer_id"),
        )

    def _never(self, step: Step, since: _Place, until: Sql, number: int) -> Sql:
        """` AND NOT EXISTS ..`: no such event in `(since, until]`."""
        if step.name not in self.context.type_ids:
            return Sql("")
        alias = f"n{number}"
        return sql(
            " AND NOT EXISTS (SELECT FROM event {alias} WHERE {alias}.customer_id = {event}.customer_id AND {is_step}"
            " AND {alias}.occurred_at > {since} AND {alias}.occurred_at <= {until}{scope})",
            alias=Sql(alias),
            event=Sql(since.alias),
            is_step=self._is(step, alias),
            since=since.sql(),
            until=until,
            scope=self.context.within_scope(f"{alias}.customer_id"),
        )

    def _is(self, step: Step, alias: str) -> Sql:
        where = Sql("")
        if step.where:
            held = Sql(f"{alias}.properties")
            where = sql(" AND {where}", where=properties.compiled(step.where, held, self.context.clock))
        return sql(
            "{alias}.type_id = {type_id} AND {alias}.occurred_at <= {now}{where}",
            alias=Sql(alias),
            type_id=self.context.type_ids[step.name],
            now=self._now(),
            where=where,
        )

    def _now(self) -> Sql:
        return sql("{now}::timestamptz", now=self.now)


def _first(step: Step, window: Period | None) -> str:
    text = gettext("“%(event)s” happened") % {"event": step.name}
    return text if window is None else f"{text} {words.in_the_last(window)}"


def _following(step: Step) -> str:
    length: Any = step.within or step.lasting
    said = {"event": step.name, "length": length and words.length(length)}
    if step.event is not None:
        if length is None:
            return gettext("then “%(event)s”") % said
        return gettext("then “%(event)s” (time limit: %(length)s)") % said
    if length is None:
        return gettext("then no “%(event)s”") % said
    return gettext("then no “%(event)s” (watched for: %(length)s)") % said
