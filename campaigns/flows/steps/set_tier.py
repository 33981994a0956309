"""Give a tier, or take it away: `{id: vip, type: set_tier, tier: gold, for: 90d}`."""

from django.utils.translation import gettext
from pydantic import Field, field_validator

from campaigns.flows.points import coming, elapsed, order_ctes
from campaigns.flows.step import Declared, StepContext, StepParameters, StepType, step_types
from loyalty.kit.periods import Period
from loyalty.kit.problems import Problem
from loyalty.kit.sql import Sql
from loyalty.program import orders
from loyalty.program.orders import Place, Wish


class TierParameters(StepParameters):
    """`tier: null` takes the tier away. `for`: how long it is kept whatever the points; without, until the next look at
    the tiers, which follows what was earned.
    """

    program: str | None = None
    tier: str | None
    for_: str | None = Field(default=None, alias="for")

    _elapsed = field_validator("for_")(elapsed)


@step_types.register("set_tier")
class SetTier(StepType):
    """Orders the tier for everybody who passes and is a member."""

    parameters = TierParameters

    def sentence(self, parameters: TierParameters) -> str:
        said = {"tier": parameters.tier, "period": parameters.for_}
        if parameters.tier is None:
            return gettext("Take the tier away.")
        if parameters.for_:
            return gettext("Give the tier “%(tier)s” for %(period)s.") % said
        return gettext("Give the tier “%(tier)s”.") % said

    def check(self, parameters: TierParameters, declared: Declared) -> list[Problem]:
        programs, tiers = coming(declared)
        return orders.problems(Place(parameters.program), tier=parameters.tier, coming=programs, tiers=tiers)

    def effect(self, parameters: TierParameters, context: StepContext, name: str, rows: Sql) -> Sql | None:
        seconds = Period.parse(parameters.for_).seconds if parameters.for_ else None
        wish = Wish(orders.TIER, Place(parameters.program), tier=parameters.tier, lasts=seconds)
        return order_ctes(name, wish, parameters.id, rows, context)
