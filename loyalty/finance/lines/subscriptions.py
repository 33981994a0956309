"""Paid memberships in the result: fees that came in, and what went back."""

from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from loyalty.finance.pnl_line import Line, Span, pnl_lines, there
from loyalty.kit.sql import fetch, sql


@pnl_lines.register("subscriptions")
class Subscriptions:
    """Fees paid in the month, and refunds that became due in it. Points and vouchers that members get for them stand
    with the other points and vouchers."""

    order = 15
    names = {
        "membership_fees": _("Fees of paid memberships"),
        "membership_refunds": _("Fees paid back"),
    }

    def lines(self, span: Span) -> list[Line]:
        """One query over the charges of the month."""
        if not there("subscription", "subscription_charge"):
            return []
        fees, count, refunds = fetch(
            sql(
                "SELECT coalesce(sum(c.amount) FILTER (WHERE c.kind = 'fee' AND c.state = 'paid'"
                " AND c.paid_at >= {start} AND c.paid_at < {end}), 0),"
                " count(*) FILTER (WHERE c.kind = 'fee' AND c.state = 'paid' AND c.paid_at >= {start}"
                " AND c.paid_at < {end}),"
                " coalesce(sum(c.amount) FILTER (WHERE c.kind = 'refund' AND c.state <> 'void'"
                " AND c.due_at >= {start} AND c.due_at < {end}), 0)"
                " FROM subscription_charge c JOIN subscription s ON s.id = c.subscription_id"
                " WHERE s.program_id = {program} AND (c.paid_at >= {start} OR c.kind = 'refund')",
                program=span.setup.id,
                start=span.start,
                end=span.end,
            )
        )[0]
        return [Line("membership_fees", Decimal(fees), int(count)), Line("membership_refunds", -Decimal(refunds))]
