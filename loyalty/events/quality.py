"""Who has not done anything for long, for the board of data quality."""

from datetime import datetime

from django.utils.translation import gettext_lazy as _

from loyalty.events.names import FACTS
from loyalty.kit.quality import quality_check
from loyalty.kit.sql import Sql, sql

SILENT_MONTHS = 24
# Facts that are the person's own doing. All others are what we did to them; opens are made by mail programs, too.
_OWN_FACTS = (
    "message.clicked",
    "message.unsubscribed",
    "message.complained",
    "consent.granted",
    "consent.withdrawn",
    "points.spent",
    "points.transferred",
    "member.joined",
    "member.left",
    "challenge.started",
    "game.played",
    "receipt.claimed",
    "voucher.redeemed",
    "offer.activated",
    "offer.redeemed",
    "reward.redeemed",
)


@quality_check(
    "events.silent",
    order=62,
    title=_("Silent"),
    meaning=_(
        "People who have done nothing for two years: no purchase, no visit, no click. What we sent does not count."
    ),
    remedy=_("Win them back while you may write to them, or let go of what you no longer need."),
)
def silent(now: datetime) -> Sql:
    """People who came later than that are not silent yet. One pass over the months that count, as a hashed set."""
    return sql(
        """SELECT c.id AS customer_id FROM customer c
        WHERE (c.external_id IS NOT NULL OR c.email IS NOT NULL OR c.phone IS NOT NULL)
        AND c.created_at <= {since}
        AND NOT EXISTS (
            SELECT FROM event e WHERE e.customer_id = c.id
            AND e.occurred_at > {since} AND e.occurred_at <= {now}::timestamptz
            AND e.type_id IN (SELECT t.id FROM event_type t WHERE t.name <> ALL({not_own}::text[])))""",
        since=sql("({now}::timestamptz - make_interval(months => {months}))", now=now, months=SILENT_MONTHS),
        now=now,
        not_own=sorted(FACTS.keys() - set(_OWN_FACTS)),
    )
