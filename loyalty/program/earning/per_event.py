"""Points for something that happened: `{type: per_event, event: review, points: 50, where: {stars: {gte: 4}}}`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from django.utils.translation import ngettext
from pydantic import BeforeValidator, Field

from loyalty.events.names import fold, is_name
from loyalty.kit.sql import Sql, sql
from loyalty.program import wording
from loyalty.program.conditions import Conditions, holds, holds_sql
from loyalty.program.deeds import DEEDS
from loyalty.program.definition import Strict
from loyalty.program.earning_part import earning
from loyalty.program.terms import Terms


def _name(value: Any) -> str:
    name = fold(value) if isinstance(value, str) else ""
    if not is_name(name):
        raise ValueError("is no event name: use 1 to 100 of a-z 0-9 _ . : -")
    return name


class Parameters(Strict):
    """`points` for each event of that name whose properties fit."""

    event: Annotated[str, BeforeValidator(_name)]
    points: Annotated[Decimal, Field(gt=0, le=1_000_000)]
    where: Conditions = {}


@earning.register("per_event")
class PerEvent:
    """A review, a survey, a finished video: any event of the timeline."""

    kinds = ("event",)
    multiplies = False
    parameters = Parameters

    def points_sql(self, parameters: Parameters, base: Sql) -> Sql:
        return sql(
            "SELECT op.id AS booking_id, 1 AS no, {points}::numeric AS points FROM op"
            " WHERE op.event = {event} AND {where}",
            points=parameters.points,
            event=parameters.event,
            where=holds_sql(parameters.where, Sql("op.details")),
        )

    def points(self, parameters: Parameters, booking: dict[str, Any], base: dict[int, Any]) -> dict[int, Any]:
        if booking["event"] != parameters.event or not holds(parameters.where, booking["details"] or {}):
            return {}
        return {1: parameters.points}

    def sentence(self, parameters: Parameters, terms: Terms) -> str:
        named = terms.name("event", parameters.event)
        said = {
            "points": wording.number(parameters.points),
            "event": named,
            "what": str(DEEDS.get(parameters.event, "")),
            "where": wording.conditions(parameters.where, terms),
        }
        n = wording.form(parameters.points)
        if said["what"] and named == parameters.event:
            return (
                ngettext("%(points)s point for %(what)s%(where)s", "%(points)s points for %(what)s%(where)s", n) % said
            )
        return (
            ngettext(
                "%(points)s point for each “%(event)s”%(where)s", "%(points)s points for each “%(event)s”%(where)s", n
            )
            % said
        )

    def events(self, parameters: Parameters) -> Sequence[str]:
        return (parameters.event,)
