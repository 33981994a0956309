"""Who did what the flow was for gets no further message: an exit event after the entry counts at once."""

from campaigns.delivery.guard import Part, Scope, guards
from loyalty.events.types import type_id
from loyalty.kit.sql import Sql, sql


@guards.register("exit")
class Exit:
    order = 20
    code = "exited"

    def part(self, scope: Scope) -> Part | None:
        if not scope.exits:
            return None
        from campaigns.segments import properties

        conditions = []
        for rule in scope.exits:
            for event in rule.events:
                where = properties.where(event["where"], Sql("ev.properties")) if event.get("where") else Sql("true")
                # A probe of (customer_id, type_id, occurred_at) per month since the entry, 2 to 4 us per person. As a
                # join it would have to be made distinct first.
                conditions.append(
                    sql(
                        "({applies} AND EXISTS (SELECT FROM event ev WHERE ev.customer_id = {customer}"
                        " AND ev.type_id = {type}::integer AND ev.occurred_at > {entered} AND {where}))",
                        applies=rule.applies,
                        customer=scope.customer_id,
                        type=type_id(event["event"]),
                        entered=scope.entered_at,
                        where=where,
                    )
                )
        return Part(
            refuses=sql("({any})", any=Sql(" OR ").join(conditions)),
            columns={"entered": scope.entered_at},
            facts=Sql("jsonb_build_object('entered_at', entered)"),
        )
