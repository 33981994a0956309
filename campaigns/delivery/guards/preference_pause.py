"""Who asked for a pause gets no advertising until it is over; service and transactional messages go on."""

from campaigns.delivery.guard import Part, Scope, guards
from loyalty.kit.sql import Sql, sql


@guards.register("preference_pause")
class PreferencePause:
    order = 64
    code = "suppressed"

    def part(self, scope: Scope) -> Part | None:
        # At most one row by the primary key; the table holds only those who chose, so it is small.
        return Part(
            joins=sql(
                "LEFT JOIN contact_preference cpr ON cpr.customer_id = {customer} AND {purpose} = 'marketing'"
                " AND cpr.paused_until > {now}::timestamptz",
                customer=scope.customer_id,
                purpose=scope.purpose,
                now=scope.now,
            ),
            refuses=Sql("cpr.customer_id IS NOT NULL"),
            columns={"pause_until": Sql("cpr.paused_until"), "pause_since": Sql("cpr.since")},
            facts=Sql("jsonb_build_object('until', pause_until, 'since', pause_since)"),
        )
