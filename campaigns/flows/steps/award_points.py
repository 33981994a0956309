"""Give points: `{id: gift, type: award_points, points: 200, reason: winback}`."""

from django.utils.translation import gettext

from campaigns.flows.points import PointsParameters, coming, order_ctes, sentence
from campaigns.flows.step import Declared, StepContext, StepType, step_types
from loyalty.kit.problems import Problem
from loyalty.kit.sql import Sql
from loyalty.program import orders
from loyalty.program.orders import Wish


@step_types.register("award_points")
class AwardPoints(StepType):
    """Orders points for everybody who passes; who is no member becomes one where the program lets people join so."""

    parameters = PointsParameters

    def sentence(self, parameters: PointsParameters) -> str:
        return sentence(parameters, gettext("Give %(points)s points."), gettext("Give %(points)s points: %(reason)s."))

    def check(self, parameters: PointsParameters, declared: Declared) -> list[Problem]:
        return orders.problems(parameters.place, coming=coming(declared)[0])

    def effect(self, parameters: PointsParameters, context: StepContext, name: str, rows: Sql) -> Sql | None:
        wish = Wish(orders.AWARD, parameters.place, points=parameters.points, reason=parameters.reason or None)
        return order_ctes(name, wish, parameters.id, rows, context)
