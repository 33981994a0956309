"""Points for bringing a friend: `{type: referral, points: 500, friend_points: 200, after: 14d, minimum: 20}`."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from django.utils.translation import gettext
from pydantic import Field

from loyalty.kit.sql import Sql, sql
from loyalty.program import wording
from loyalty.program.definition import Elapsed, Money, Strict
from loyalty.program.earning_part import earning
from loyalty.program.terms import Terms

REFERRER, FRIEND = "referrer", "friend"


class Parameters(Strict):
    """`points` for the member, `friend_points` for the friend, once a purchase of the friend of at least `minimum` is
    `after` old and was not returned. More than `most` friends in 30 days are looked at by somebody first. `link` is the
    address to pass on, `{code}` in it the code.
    """

    points: Annotated[Decimal, Field(gt=0, le=1_000_000)]
    friend_points: Annotated[Decimal, Field(ge=0, le=1_000_000)] = Decimal(0)
    after: Elapsed = "14d"
    minimum: Money = Decimal("0.01")
    most: Annotated[int, Field(ge=1, le=10_000)] = 10
    link: Annotated[str, Field(max_length=500, pattern=r"^$|^https?://[^\s]*\{code\}[^\s]*$")] = ""


@earning.register("referral")
class Referral:
    """The member who referred and the friend each have a booking of their own."""

    kinds = ("occasion",)
    multiplies = False
    parameters = Parameters

    def points_sql(self, parameters: Parameters, base: Sql) -> Sql:
        return sql(
            "SELECT op.id AS booking_id, 1 AS no, CASE op.details ->> 'side' WHEN {referrer} THEN {points}::numeric"
            " ELSE {friend}::numeric END AS points FROM op WHERE op.event = 'referral'",
            referrer=REFERRER,
            points=parameters.points,
            friend=parameters.friend_points,
        )

    def points(self, parameters: Parameters, booking: dict[str, Any], base: dict[int, Any]) -> dict[int, Any]:
        if booking["event"] != "referral":
            return {}
        side = (booking["details"] or {}).get("side")
        return {1: parameters.points if side == REFERRER else parameters.friend_points}

    def sentence(self, parameters: Parameters, terms: Terms) -> str:
        said = {
            "points": wording.number(parameters.points),
            "friend": wording.number(parameters.friend_points),
            "after": wording.length(parameters.after),
        }
        if not parameters.friend_points:
            return gettext("%(points)s points for a friend who buys and keeps it for %(after)s") % said
        return (
            gettext("%(points)s points for a friend who buys and keeps it for %(after)s; the friend gets %(friend)s")
            % said
        )

    def events(self, parameters: Parameters) -> Sequence[str]:
        return ()
