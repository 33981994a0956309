"""Set points aside: `{id: keep, type: lock_points, points: 500, for: 2d}`, then they are free again."""

from django.utils.translation import gettext
from pydantic import Field, field_validator

from campaigns.flows.points import PointsParameters, coming, elapsed, order_ctes, payers, paying
from campaigns.flows.step import Declared, StepContext, StepType, step_types
from loyalty.kit.periods import Period
from loyalty.kit.problems import Problem
from loyalty.kit.sql import Sql
from loyalty.program import holds, orders
from loyalty.program.orders import Wish


class LockParameters(PointsParameters):
    """`for`: how long, at most 30 days."""

    for_: str = Field(default="1d", alias="for")

    @field_validator("for_")
    @classmethod
    def _short(cls, value: str) -> str:
        if not 0 < (Period.parse(elapsed(value)).seconds or 0) <= holds.LONGEST_HOLD.total_seconds():
            raise ValueError("must be more than nothing and at most 30d")
        return value

    @property
    def seconds(self) -> int:
        return Period.parse(self.for_).seconds or 0


@step_types.register("lock_points")
class LockPoints(StepType):
    """Exits `done` and `too_few`, by the balance of this instant, less what other steps have ordered from it."""

    parameters = LockParameters

    def exits(self, parameters: LockParameters) -> tuple[str, ...]:
        return ("done", "too_few")

    def exit_label(self, parameters: LockParameters, name: str) -> str:
        return {"done": gettext("set aside"), "too_few": gettext("too few points")}.get(name, name)

    def sentence(self, parameters: LockParameters) -> str:
        said = {"points": parameters.points, "period": parameters.for_}
        return gettext("Set %(points)s points aside for %(period)s.") % said

    def check(self, parameters: LockParameters, declared: Declared) -> list[Problem]:
        return orders.problems(parameters.place, paying=True, coming=coming(declared)[0])

    def decide(self, parameters: LockParameters, context: StepContext) -> Sql | None:
        return paying(parameters)

    def effect(self, parameters: LockParameters, context: StepContext, name: str, rows: Sql) -> Sql | None:
        wish = Wish(
            orders.LOCK,
            parameters.place,
            points=parameters.points,
            lasts=parameters.seconds,
            reason=parameters.reason or None,
        )
        return order_ctes(name, wish, parameters.id, payers(parameters, rows), context)
