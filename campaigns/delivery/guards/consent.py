"""Marketing needs a granted consent that is not silent for too long; service goes unless it was withdrawn;
transactional needs none. Existing customers are the one exception, where it is switched on (docs/consent.md)."""

from django.conf import settings

from campaigns.delivery.guard import Part, Scope, guards
from loyalty.kit.sql import Sql, sql


@guards.register("consent")
class Consent:
    order = 60
    code = "no_consent"

    def part(self, scope: Scope) -> Part:
        excepted = scope.product_group is not None and settings.EXISTING_CUSTOMER_ADS
        return Part(
            # The composite primary keys make these joins to at most one row each. `consent_age` holds only those who
            # were not heard of for years; a consent that was given after the block lifts it.
            joins=sql(
                "LEFT JOIN consent_state con ON con.customer_id = {customer} AND con.channel = {channel}::text"
                " AND con.purpose = {purpose}"
                " LEFT JOIN consent_age aged ON aged.customer_id = {customer} AND aged.channel = {channel}::text"
                " AND {purpose} = 'marketing' AND aged.blocked_at >= con.since",
                customer=scope.customer_id,
                channel=scope.channel,
                purpose=scope.purpose,
            ),
            refuses=sql(
                "(CASE {purpose} WHEN 'transactional' THEN false WHEN 'service' THEN con.status = 'withdrawn'"
                " ELSE (con.status IS DISTINCT FROM 'granted' AND NOT {excepted}) OR aged.customer_id IS NOT NULL END)",
                purpose=scope.purpose,
                excepted=_excepted(scope) if excepted else Sql("false"),
            ),
            columns={
                "consent_status": Sql("con.status"),
                "consent_since": Sql("con.since"),
                "consent_sign": Sql("CASE WHEN con.status = 'granted' THEN aged.sign_at END"),
            },
            facts=sql(
                "(jsonb_build_object('channel', {channel}::text, 'status', consent_status, 'since', consent_since)"
                " || CASE WHEN consent_sign IS NULL THEN '{{}}'::jsonb"
                " ELSE jsonb_build_object('aged', true, 'last_sign', consent_sign) END)",
                channel=scope.channel,
            ),
        )


def _excepted(scope: Scope) -> Sql:
    """Whether the person bought something of the product group, was told of the right to object, and never did."""
    return sql(
        "(con.status IS NULL AND {group} IS NOT NULL AND EXISTS (SELECT FROM existing_customer ex"
        " WHERE ex.customer_id = {customer} AND ex.channel = {channel}::text AND ex.product_group = {group}))",
        group=scope.product_group,
        customer=scope.customer_id,
        channel=scope.channel,
    )
