"""Marketing needs a granted consent; service goes unless it was withdrawn; transactional needs none."""

from campaigns.delivery.guard import Part, Scope, guards
from loyalty.kit.sql import Sql, sql


@guards.register("consent")
class Consent:
    order = 60
    code = "no_consent"

    def part(self, scope: Scope) -> Part:
        # The composite primary key (customer, channel, purpose) makes this a join to at most one row.
        return Part(
            joins=sql(
                "LEFT JOIN consent_state con ON con.customer_id = {customer} AND con.channel = {channel}::text"
                " AND con.purpose = {purpose}",
                customer=scope.customer_id,
                channel=scope.channel,
                purpose=scope.purpose,
            ),
            refuses=sql(
                "(CASE {purpose} WHEN 'transactional' THEN false WHEN 'service' THEN con.status = 'withdrawn'"
                " ELSE con.status IS DISTINCT FROM 'granted' END)",
                purpose=scope.purpose,
            ),
            columns={"consent_status": Sql("con.status"), "consent_since": Sql("con.since")},
            facts=sql(
                "jsonb_build_object('channel', {channel}::text, 'status', consent_status, 'since', consent_since)",
                channel=scope.channel,
            ),
        )
