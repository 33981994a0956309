"""People of the control group are enrolled and measured, but sent nothing. Decided when planned."""

from campaigns.delivery.guard import Part, Scope, guards
from loyalty.kit.sql import sql


@guards.register("holdout")
class Holdout:
    order = 30
    code = "holdout"

    def part(self, scope: Scope) -> Part | None:
        if scope.holdout is None:
            return None
        return Part(refuses=sql("{holdout}", holdout=scope.holdout))
