"""Wait for a time, or until one, in the person's own zone."""

import re
from datetime import date as date_type
from datetime import datetime
from typing import Any, Literal

from django.utils.translation import gettext
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from campaigns.flows.moments import elapsed_or_calendar, zone
from campaigns.flows.step import Declared, StepContext, StepParameters, StepType, step_types
from loyalty.customers.catalog import attribute_fields
from loyalty.kit.periods import Period
from loyalty.kit.problems import Problem
from loyalty.kit.sql import Sql, identifier, sql

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class Until(BaseModel):
    """A moment on the person's own clock: the next such time of day, weekday, a date, or a date of theirs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time: str = "00:00"
    weekday: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] | None = None
    date: date_type | None = None
    attribute: str | None = None

    @field_validator("time")
    @classmethod
    def _clock(cls, value: str) -> str:
        if not TIME.fullmatch(value):
            raise ValueError(
                f"{value[:20]!r} is no time of day, write 09:30; a weekday, date or attribute is said by name"
            )
        return value

    @model_validator(mode="after")
    def _one_day(self) -> "Until":
        if sum(value is not None for value in (self.weekday, self.date, self.attribute)) > 1:
            raise ValueError("weekday, date and attribute exclude each other")
        return self


class WaitParameters(StepParameters):
    """Either `for` a period or `until` a moment; a moment that has passed lets people go on at once."""

    for_: str | None = Field(default=None, alias="for")
    until: Until | None = None

    @field_validator("for_")
    @classmethod
    def _period(cls, value: str | None) -> str | None:
        if value is not None:
            Period.parse(value)
        return value

    @field_validator("until", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """`until: "09:00"`, `until: monday` and `until: 2026-12-24` say what kind of moment they are by their look."""
        if isinstance(value, str) and value.lower() in WEEKDAYS:
            return {"weekday": value.lower()}
        if isinstance(value, str) and DATE.fullmatch(value):
            return {"date": value}
        return {"time": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one(self) -> "WaitParameters":
        if (self.for_ is None) == (self.until is None):
            raise ValueError("say either `for` (a period) or `until` (a moment)")
        return self


@step_types.register("wait")
class Wait(StepType):
    """Rests until its time has come, then `next`."""

    parameters = WaitParameters
    rests = True

    def sentence(self, parameters: WaitParameters) -> str:
        if parameters.for_ is not None:
            return gettext("Wait %(period)s.") % {"period": parameters.for_}
        until = parameters.until
        assert until is not None  # noqa: S101 - the model says one of both
        day = until.weekday or until.date or until.attribute
        if day is None:
            return gettext("Wait until %(time)s.") % {"time": until.time}
        return gettext("Wait until %(day)s, %(time)s.") % {"day": day, "time": until.time}

    def check(self, parameters: WaitParameters, declared: Declared) -> list[Problem]:
        name = parameters.until.attribute if parameters.until else None
        if name is None:
            return []
        fields = attribute_fields()
        if name not in fields or fields[name].type != "date":
            known = ", ".join(key for key, item in fields.items() if item.type == "date")
            return [Problem("until.attribute", f"{name!r} is no date attribute", f"known: {known or 'none'}")]
        return []

    def due(self, parameters: WaitParameters, context: StepContext) -> Sql:
        if parameters.for_ is not None:
            return elapsed_or_calendar(parameters.for_, context.now)
        assert parameters.until is not None  # noqa: S101 - the model says one of both
        return _moment(parameters.until, context.now)

    def needs_customer(self, parameters: WaitParameters) -> bool:
        return parameters.for_ is None or not Period.parse(parameters.for_).elapsed


def _moment(until: Until, now: datetime) -> Sql:
    today = sql("({now}::timestamptz AT TIME ZONE {zone})::date", now=now, zone=zone())
    if until.date is not None:
        return _not_before(sql("{day}::date", day=until.date), until, now)
    if until.attribute is not None:
        field = attribute_fields()[until.attribute]
        value = (
            sql("c.{column}", column=identifier(field.column))
            if field.column
            else sql(
                "CASE WHEN c.attributes->>{key} ~ '^\\d{{4}}-\\d\\d-\\d\\d' THEN left(c.attributes->>{key},"
                " 10)::date END",
                key=until.attribute,
            )
        )
        return sql("coalesce({day}, {now}::timestamptz)", day=_not_before(value, until, now), now=now)
    if until.weekday is not None:
        # Days from today (Monday = 1) to that weekday: 0 to 6.
        ahead = sql(
            "(({wanted} - extract(isodow FROM {today})::int + 7) % 7)",
            wanted=WEEKDAYS.index(until.weekday) + 1,
            today=today,
        )
        return _next_of(sql("{today} + {ahead}", today=today, ahead=ahead), 7, until, now)
    return _next_of(today, 1, until, now)


def _at(day: Sql, until: Until) -> Sql:
    return sql("local_instant({day} + {time}::time, {zone})", day=day, time=until.time, zone=zone())


def _not_before(day: Sql, until: Until, now: datetime) -> Sql:
    return sql("greatest({at}, {now}::timestamptz)", at=_at(day, until), now=now)


def _next_of(day: Sql, step_days: int, until: Until, now: datetime) -> Sql:
    """That day's moment if it is still ahead, else the same a step of days later."""
    return sql(
        "CASE WHEN {first} > {now} THEN {first} ELSE {second} END",
        first=_at(day, until),
        now=now,
        second=_at(sql("({day} + {days})", day=day, days=step_days), until),
    )
