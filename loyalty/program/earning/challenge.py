"""Points for a challenge that is done: `{type: challenge, challenge: three_visits, points: 100}`."""

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

FACT = "challenge.completed"


class Parameters(Strict):
    """`points` each time it is done; without `challenge` any challenge."""

    points: Annotated[Decimal, Field(gt=0, le=1_000_000)]
    challenge: Annotated[str | None, Field(pattern=KEY.pattern)] = None


@earning.register("challenge")
class ChallengeDone:
    """Listens to the fact `challenge.completed`.

    A prize of the challenge itself needs no rule; a rule adds caps, budgets, tiers and times, or covers all of them.
    """

    kinds = ("event",)
    multiplies = False
    parameters = Parameters

    def points_sql(self, parameters: Parameters, base: Sql) -> Sql:
        return sql(
            "SELECT op.id AS booking_id, 1 AS no, {points}::numeric AS points FROM op WHERE op.event = {fact}"
            " AND ({key}::text IS NULL OR op.details ->> 'challenge' = {key}::text)",
            points=parameters.points,
            fact=FACT,
            key=parameters.challenge,
        )

    def points(self, parameters: Parameters, booking: dict[str, Any], base: dict[int, Any]) -> dict[int, Any]:
        told = (booking["details"] or {}).get("challenge")
        fits = booking["event"] == FACT and parameters.challenge in (None, told)
        return {1: parameters.points} if fits else {}

    def sentence(self, parameters: Parameters, terms: Terms) -> str:
        n = wording.form(parameters.points)
        if parameters.challenge is None:
            text = ngettext(
                "%(points)s point for each challenge that is done",
                "%(points)s points for each challenge that is done",
                n,
            )
            return text % {"points": wording.number(parameters.points)}
        text = ngettext(
            "%(points)s point for doing the challenge “%(challenge)s”",
            "%(points)s points for doing the challenge “%(challenge)s”",
            n,
        )
        named = terms.name("challenge", parameters.challenge)
        return text % {"points": wording.number(parameters.points), "challenge": named}

    def events(self, parameters: Parameters) -> Sequence[str]:
        return (FACT,)
