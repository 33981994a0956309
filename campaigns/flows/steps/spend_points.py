"""Take points: `{id: pay, type: spend_points, points: 500, exits: {done: thanks, too_few: sorry}}`."""

from django.utils.translation import gettext

from campaigns.flows.points import PointsParameters, coming, order_ctes, payers, paying, sentence
from campaigns.flows.step import Declared, StepContext, StepType, step_types
from loyalty.kit.problems import Problem
from loyalty.kit.sql import Sql
from loyalty.program import orders
from loyalty.program.orders import Wish


@step_types.register("spend_points")
class SpendPoints(StepType):
    """Exits `done` and `too_few`, by the balance of this instant, less what other steps have ordered from it."""

    parameters = PointsParameters

    def exits(self, parameters: PointsParameters) -> tuple[str, ...]:
        return ("done", "too_few")

    def exit_label(self, parameters: PointsParameters, name: str) -> str:
        return {"done": gettext("paid"), "too_few": gettext("too few points")}.get(name, name)

    def sentence(self, parameters: PointsParameters) -> str:
        return sentence(parameters, gettext("Take %(points)s points."), gettext("Take %(points)s points: %(reason)s."))

    def check(self, parameters: PointsParameters, declared: Declared) -> list[Problem]:
        return orders.problems(parameters.place, paying=True, coming=coming(declared)[0])

    def decide(self, parameters: PointsParameters, context: StepContext) -> Sql | None:
        return paying(parameters)

    def effect(self, parameters: PointsParameters, context: StepContext, name: str, rows: Sql) -> Sql | None:
        wish = Wish(orders.SPEND, parameters.place, points=parameters.points, reason=parameters.reason or None)
        return order_ctes(name, wish, parameters.id, payers(parameters, rows), context)
