"""Points for money spent: `{type: per_purchase, points: 1, per: 1}`; net or margin instead of gross with `basis`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.utils.translation import ngettext
from pydantic import Field

from loyalty.kit.sql import Sql, sql
from loyalty.program import lines, wording
from loyalty.program.definition import Strict
from loyalty.program.earning_part import earning
from loyalty.program.rule_definition import Lines
from loyalty.program.terms import Terms


class Parameters(Strict):
    """`points` for each `per` of the currency, on the chosen lines."""

    points: Annotated[Decimal, Field(gt=0, le=100_000)]
    per: Annotated[Decimal, Field(gt=0, le=1_000_000)] = Decimal(1)
    basis: Literal["gross", "net", "margin"] = "gross"
    only: Lines = Lines()
    without: Lines = Lines()


@earning.register("per_purchase")
class PerPurchase:
    """Every line by its amount; the sum is rounded, not the lines."""

    kinds = ("purchase",)
    multiplies = False
    parameters = Parameters

    def points_sql(self, parameters: Parameters, base: Sql) -> Sql:
        return sql(
            "SELECT line.booking_id, line.no, line.{basis} * {points}::numeric / {per}::numeric AS points"
            " FROM line WHERE {matches}",
            basis=Sql(parameters.basis),
            points=parameters.points,
            per=parameters.per,
            matches=lines.matches_sql(parameters.only, parameters.without),
        )

    def points(self, parameters: Parameters, booking: dict[str, Any], base: dict[int, Any]) -> dict[int, Any]:
        return {
            line["no"]: line[parameters.basis] * parameters.points / parameters.per
            for line in booking["lines"]
            if line[parameters.basis] is not None and lines.matches(line, parameters.only, parameters.without)
        }

    def sentence(self, parameters: Parameters, terms: Terms) -> str:
        n = wording.form(parameters.points)
        templates = {
            "gross": ngettext(
                "%(points)s point for every %(per)s spent%(lines)s",
                "%(points)s points for every %(per)s spent%(lines)s",
                n,
            ),
            "net": ngettext(
                "%(points)s point for every %(per)s spent without tax%(lines)s",
                "%(points)s points for every %(per)s spent without tax%(lines)s",
                n,
            ),
            "margin": ngettext(
                "%(points)s point for every %(per)s of margin%(lines)s",
                "%(points)s points for every %(per)s of margin%(lines)s",
                n,
            ),
        }
        return templates[parameters.basis] % {
            "points": wording.number(parameters.points),
            "per": terms.money(parameters.per),
            "lines": wording.lines(parameters.only, parameters.without, terms),
        }

    def events(self, parameters: Parameters) -> Sequence[str]:
        return ()
