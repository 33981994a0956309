"""Points for a full stamp card: `{type: stamp, stamp_card: coffee, points: 100}`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from django.utils.translation import ngettext
from pydantic import Field

from loyalty.kit.sql import Sql, sql
from loyalty.program import wording
from loyalty.program.definition import KEY, Strict
from loyalty.program.earning_part import earning
from loyalty.program.terms import Terms

FACT = "stamp_card.completed"


class Parameters(Strict):
    """`points` each time one is full; without `stamp_card` any stamp card."""

    points: Annotated[Decimal, Field(gt=0, le=1_000_000)]
    stamp_card: Annotated[str | None, Field(pattern=KEY.pattern)] = None


@earning.register("stamp")
class StampCardFull:
    """Listens to the fact `stamp_card.completed`.

    A prize of the card itself needs no rule; a rule adds caps, budgets, tiers and times, or covers all cards at once.
    """

    kinds = ("event",)
    multiplies = False
    parameters = Parameters

    def points_sql(self, parameters: Parameters, base: Sql) -> Sql:
        return sql(
            "SELECT op.id AS booking_id, 1 AS no, {points}::numeric AS points FROM op WHERE op.event = {fact}"
            " AND ({key}::text IS NULL OR op.details ->> 'stamp_card' = {key}::text)",
            points=parameters.points,
            fact=FACT,
            key=parameters.stamp_card,
        )

    def points(self, parameters: Parameters, booking: dict[str, Any], base: dict[int, Any]) -> dict[int, Any]:
        told = (booking["details"] or {}).get("stamp_card")
        fits = booking["event"] == FACT and parameters.stamp_card in (None, told)
        return {1: parameters.points} if fits else {}

    def sentence(self, parameters: Parameters, terms: Terms) -> str:
        n = wording.form(parameters.points)
        if parameters.stamp_card is None:
            text = ngettext(
                "%(points)s point for each full stamp card", "%(points)s points for each full stamp card", n
            )
            return text % {"points": wording.number(parameters.points)}
        text = ngettext(
            "%(points)s point for a full stamp card “%(stamp_card)s”",
            "%(points)s points for a full stamp card “%(stamp_card)s”",
            n,
        )
        named = terms.name("stamp_card", parameters.stamp_card)
        return text % {"points": wording.number(parameters.points), "stamp_card": named}

    def events(self, parameters: Parameters) -> Sequence[str]:
        return (FACT,)
