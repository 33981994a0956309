"""A suppressed address gets nothing, except transactional messages unless the address itself is dead (hard bounce).

A person whose processing is restricted gets nothing at all, on any channel: that stands in the customer's own row.
"""

from campaigns.channels.names import CHANNELS
from campaigns.delivery.guard import Part, Scope, guards
from loyalty.kit.sql import Sql, identifier, sql


@guards.register("suppression")
class Suppression:
    order = 50
    code = "suppressed"

    def part(self, scope: Scope) -> Part:
        digest = CHANNELS[scope.channel].digest
        restricted = Sql("c.restricted_at IS NOT NULL")
        if digest is None:
            return Part(
                refuses=restricted,
                columns={"restricted_since": Sql("c.restricted_at")},
                facts=Sql("jsonb_build_object('reason', 'restricted', 'since', restricted_since)"),
            )
        # Two joins, each to at most one row by the unique key (channel, digest, purpose): one join with
        # `purpose IN ('', x)` could double a row.
        joins = sql(
            "LEFT JOIN suppression sup ON sup.channel = {channel}::text AND sup.digest = c.{digest}"
            " AND sup.purpose = ''"
            " LEFT JOIN suppression sup2 ON sup2.channel = {channel}::text AND sup2.digest = c.{digest}"
            " AND sup2.purpose = {purpose}",
            channel=scope.channel,
            digest=identifier(digest),
            purpose=scope.purpose,
        )
        return Part(
            joins=joins,
            refuses=sql(
                "({restricted} OR CASE WHEN {purpose} = 'transactional' THEN sup.reason = 'hard_bounce'"
                " ELSE sup.id IS NOT NULL OR sup2.id IS NOT NULL END)",
                purpose=scope.purpose,
                restricted=restricted,
            ),
            columns={
                "suppression_reason": Sql(
                    "CASE WHEN c.restricted_at IS NOT NULL THEN 'restricted' ELSE coalesce(sup.reason, sup2.reason) END"
                ),
                "suppression_since": Sql("coalesce(c.restricted_at, sup.created_at, sup2.created_at)"),
            },
            facts=Sql("jsonb_build_object('reason', suppression_reason, 'since', suppression_since)"),
        )
