"""More of what earlier rules gave: `{type: multiplier, factor: 2, only: {brand: [Acme]}}`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from django.utils.translation import gettext
from pydantic import Field

from loyalty.kit.sql import Sql, sql
from loyalty.program import lines, wording
from loyalty.program.definition import Strict
from loyalty.program.earning_part import earning
from loyalty.program.rule_definition import Lines
from loyalty.program.terms import Terms


class Parameters(Strict):
    """`factor` 2 doubles the points that earlier rules of the same wallet gave for the chosen lines."""

    factor: Annotated[Decimal, Field(gt=1, le=1000)]
    only: Lines = Lines()
    without: Lines = Lines()


@earning.register("multiplier")
class Multiplier:
    """Gives the extra points only; multipliers do not multiply each other."""

    kinds = ("purchase",)
    multiplies = True
    parameters = Parameters

    def points_sql(self, parameters: Parameters, base: Sql) -> Sql:
        return sql(
            "SELECT given.booking_id, given.no, sum(given.points) * {more}::numeric AS points FROM ({base}) given"
            " WHERE ((given.booking_id, given.no) IN (SELECT line.booking_id, line.no FROM line WHERE {matches}))"
            " IS TRUE GROUP BY 1, 2",
            more=parameters.factor - 1,
            base=base,
            matches=lines.matches_sql(parameters.only, parameters.without),
        )

    def points(self, parameters: Parameters, booking: dict[str, Any], base: dict[int, Any]) -> dict[int, Any]:
        return {
            line["no"]: base[line["no"]] * (parameters.factor - 1)
            for line in booking["lines"]
            if line["no"] in base and lines.matches(line, parameters.only, parameters.without)
        }

    def sentence(self, parameters: Parameters, terms: Terms) -> str:
        return gettext("%(factor)s times the points%(lines)s") % {
            "factor": wording.number(parameters.factor),
            "lines": wording.lines(parameters.only, parameters.without, terms),
        }

    def events(self, parameters: Parameters) -> Sequence[str]:
        return ()
