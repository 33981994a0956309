"""Points that own shops took as payment: the discount given."""

from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from loyalty.finance.pnl_line import Line, Span, pnl_lines
from loyalty.kit.sql import Sql, fetch, sql
from loyalty.program import names


@pnl_lines.register("payments")
class Payments:
    """Points spent on purchases, less those given back by returns, at their value; not those spent at partners."""

    order = 30
    names = {"payments": _("Discounts paid with points in your shops")}

    def lines(self, span: Span) -> list[Line]:
        """One query over the bookings of the month."""
        rows = fetch(
            sql(
                "SELECT e.wallet_id, sum(CASE WHEN e.to_account = {spent} THEN e.amount ELSE -e.amount END)"
                " FROM booking b JOIN entry e ON e.booking_id = b.id LEFT JOIN booking o ON o.id = b.original_id"
                " WHERE b.program_id = {program} AND b.recorded_at >= {start} AND b.recorded_at < {end}"
                " AND b.kind IN ('purchase', 'return', 'void') AND {spent} IN (e.from_account, e.to_account)"
                " AND NOT EXISTS (SELECT FROM partner_store s WHERE s.program_id = b.program_id"
                "   AND s.store = coalesce(o.store, b.store)) GROUP BY 1",
                spent=Sql(str(names.SPENT)),
                program=span.setup.id,
                start=span.start,
                end=span.end,
            )
        )
        amount = sum((int(points) * span.setup.settings_of(wallet_id).value for wallet_id, points in rows), Decimal(0))
        return [Line("payments", -amount, sum(int(points) for _, points in rows))]
