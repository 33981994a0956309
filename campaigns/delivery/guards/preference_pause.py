"""Who asked for a pause gets no advertising until it is over; service and transactional messages go on."""

from campaigns.delivery import wishes
from campaigns.delivery.guard import Part, Scope, guards
from loyalty.kit.sql import Sql, sql


@guards.register("preference_pause")
class PreferencePause:
    order = 64
    code = "suppressed"

    def part(self, scope: Scope) -> Part | None:
        return Part(
            joins=wishes.joined(scope),
            refuses=sql("wsh.paused_until > {now}::timestamptz", now=scope.now),
            columns={"pause_until": Sql("wsh.paused_until"), "pause_since": Sql("wsh.since")},
            facts=Sql("jsonb_build_object('until', pause_until, 'since', pause_since)"),
        )
