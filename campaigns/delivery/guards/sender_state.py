"""A paused sender keeps its messages until it is active again."""

from campaigns.delivery.guard import Part, Scope, guards
from loyalty.kit.sql import Sql, sql


@guards.register("sender_state")
class SenderState:
    order = 70
    code = "sender_paused"

    def part(self, scope: Scope) -> Part | None:
        if scope.sender_state is None:
            return None
        return Part(
            refuses=Sql("false"),
            delays=sql("{state} <> 'active'", state=scope.sender_state),
            delay_code="sender_paused",
        )
