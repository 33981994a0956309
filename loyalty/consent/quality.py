"""Whom no message for marketing can reach, for the board of data quality."""

from datetime import datetime

from django.utils.translation import gettext_lazy as _

from loyalty.kit.quality import quality_check
from loyalty.kit.sql import Sql, sql

# Channels whose addresses are in profiles; the digest is that of the same column.
_ADDRESSES = {"email": "email", "sms": "phone", "whatsapp": "phone", "phone": "phone"}


@quality_check(
    "consent.unreachable",
    order=40,
    title=_("Unreachable"),
    meaning=_("People to whom no channel is open for marketing: an address, a consent for it, and no suppression."),
    remedy=_("Ask for an address and a consent, at the till or in the account; nobody may be written to before."),
)
def unreachable(now: datetime) -> Sql:
    """One pass over the consents finds the reachable; a channel without an address in profiles reaches nobody."""
    return sql(
        """SELECT c.id AS customer_id FROM customer c
        WHERE (c.external_id IS NOT NULL OR c.email IS NOT NULL OR c.phone IS NOT NULL)
        AND NOT EXISTS (
            SELECT FROM consent_state k
            JOIN customer o ON o.id = k.customer_id
            JOIN (VALUES {channels}) AS held (channel, field) ON held.channel = k.channel
            LEFT JOIN suppression s ON s.channel = k.channel AND s.purpose = ANY({purposes})
                AND s.digest = CASE held.field WHEN 'email' THEN o.email_digest ELSE o.phone_digest END
            WHERE k.customer_id = c.id AND k.purpose = 'marketing' AND k.status = 'granted'
            AND o.restricted_at IS NULL AND s.id IS NULL
            AND CASE held.field WHEN 'email' THEN o.email ELSE o.phone END <> '')""",
        channels=Sql(", ").join(sql("({channel}, {field})", channel=k, field=f) for k, f in _ADDRESSES.items()),
        purposes=["", "marketing"],
    )
