"""People who asked to join and never confirmed are not kept."""

from datetime import datetime, timedelta

from loyalty.customers.erasing import erase_customers
from loyalty.kit.sql import fetch, sql
from loyalty.portal.letters import SOURCE


def forget_unconfirmed(*, now: datetime, days: int, limit: int) -> int:
    """Forget people whom only a form of ours brought in and who never confirmed; how many.

    Nobody is touched who is a member, has an external id, an identity, a consent, an event but what this form caused,
    another request that still runs, or whom somebody corrected by hand.
    """
    rows = fetch(
        sql(
            "SELECT c.id FROM opt_in_request r JOIN customer c ON c.id = r.customer_id"
            " WHERE r.source = {source} AND r.form = 'join' AND r.confirmed_at IS NULL AND r.expires_at < {then}"
            " AND c.external_id IS NULL AND c.source_id = (SELECT id FROM customer_source WHERE key = {source})"
            " AND NOT EXISTS (SELECT FROM opt_in_request o WHERE o.customer_id = c.id"
            "   AND (o.confirmed_at IS NOT NULL OR o.expires_at >= {then} OR o.source <> {source}))"
            " AND NOT EXISTS (SELECT FROM member m WHERE m.customer_id = c.id)"
            " AND NOT EXISTS (SELECT FROM customer_identity i WHERE i.customer_id = c.id)"
            " AND NOT EXISTS (SELECT FROM consent_entry s WHERE s.customer_id = c.id)"
            " AND NOT EXISTS (SELECT FROM member_session s WHERE s.customer_id = c.id)"
            " AND NOT EXISTS (SELECT FROM event e JOIN event_type t ON t.id = e.type_id WHERE e.customer_id = c.id"
            "   AND t.name NOT LIKE 'message.%' AND t.name NOT LIKE 'segment.%')"
            " GROUP BY c.id ORDER BY c.id LIMIT {limit}",
            source=SOURCE,
            then=now - timedelta(days=days),
            limit=limit,
        )
    )
    return erase_customers(customer_ids=[row[0] for row in rows]) if rows else 0
