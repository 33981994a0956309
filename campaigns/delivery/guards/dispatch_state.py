"""A stopped flow sends nothing more, a paused one keeps its messages until it is resumed."""

from campaigns.delivery.guard import Part, Scope, guards
from loyalty.kit.sql import sql


@guards.register("dispatch_state")
class DispatchState:
    order = 10
    code = "flow_stopped"

    def part(self, scope: Scope) -> Part | None:
        if scope.dispatch_state is None:
            return None
        return Part(
            refuses=sql("{state} = 'stopped'", state=scope.dispatch_state),
            delays=sql("{state} = 'paused'", state=scope.dispatch_state),
            delay_code="flow_paused",
        )
