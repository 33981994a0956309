"""Points for each piece of certain articles: `{type: per_product, points: 50, only: {sku: [A-1]}}`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from django.utils.translation import ngettext
from pydantic import Field, model_validator

from loyalty.kit.sql import Sql, sql
from loyalty.program import lines, wording
from loyalty.program.definition import Strict
from loyalty.program.earning_part import earning
from loyalty.program.rule_definition import Lines
from loyalty.program.terms import Terms


class Parameters(Strict):
    """`points` for each piece of the chosen lines."""

    points: Annotated[Decimal, Field(gt=0, le=100_000)]
    only: Lines = Lines()
    without: Lines = Lines()

    @model_validator(mode="after")
    def _some(self) -> "Parameters":
        if not self.only:
            raise ValueError("only: say which articles, categories, brands or labels")
        return self


@earning.register("per_product")
class PerProduct:
    """By quantity, whatever the price."""

    kinds = ("purchase",)
    multiplies = False
    parameters = Parameters

    def points_sql(self, parameters: Parameters, base: Sql) -> Sql:
        return sql(
            "SELECT line.booking_id, line.no, line.quantity * {points}::numeric AS points FROM line WHERE {matches}",
            points=parameters.points,
            matches=lines.matches_sql(parameters.only, parameters.without),
        )

    def points(self, parameters: Parameters, booking: dict[str, Any], base: dict[int, Any]) -> dict[int, Any]:
        return {
            line["no"]: line["quantity"] * parameters.points
            for line in booking["lines"]
            if lines.matches(line, parameters.only, parameters.without)
        }

    def sentence(self, parameters: Parameters, terms: Terms) -> str:
        n = wording.form(parameters.points)
        return ngettext(
            "%(points)s point for every piece%(lines)s", "%(points)s points for every piece%(lines)s", n
        ) % {
            "points": wording.number(parameters.points),
            "lines": wording.lines(parameters.only, parameters.without, terms),
        }

    def events(self, parameters: Parameters) -> Sequence[str]:
        return ()
