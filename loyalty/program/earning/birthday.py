"""Points on the birthday: `{type: birthday, points: 100}`, once a year."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from django.utils.translation import gettext
from pydantic import Field

from loyalty.kit.sql import Sql, sql
from loyalty.program import wording
from loyalty.program.definition import Strict
from loyalty.program.earning_part import earning
from loyalty.program.terms import Terms


class Parameters(Strict):
    """`points` for each birthday."""

    points: Annotated[Decimal, Field(gt=0, le=1_000_000)]


@earning.register("birthday")
class Birthday:
    """Who was born on February 29 celebrates on the 28th in other years."""

    kinds = ("occasion",)
    multiplies = False
    parameters = Parameters

    def points_sql(self, parameters: Parameters, base: Sql) -> Sql:
        return sql(
            "SELECT op.id AS booking_id, 1 AS no, {points}::numeric AS points FROM op WHERE op.event = 'birthday'",
            points=parameters.points,
        )

    def points(self, parameters: Parameters, booking: dict[str, Any], base: dict[int, Any]) -> dict[int, Any]:
        return {1: parameters.points} if booking["event"] == "birthday" else {}

    def sentence(self, parameters: Parameters, terms: Terms) -> str:
        return gettext("%(points)s points on the birthday") % {"points": wording.number(parameters.points)}

    def events(self, parameters: Parameters) -> Sequence[str]:
        return ()
