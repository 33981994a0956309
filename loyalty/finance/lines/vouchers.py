"""Vouchers and offers in the result: the discounts they gave."""

from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from loyalty.finance.pnl_line import Line, Span, pnl_lines, there
from loyalty.kit.sql import fetch, sql


@pnl_lines.register("vouchers")
class Vouchers:
    """Discounts of what was redeemed in the month; what a gift card paid was paid for when it was bought."""

    order = 50
    names = {"voucher_discounts": _("Discounts by vouchers and offers")}

    def lines(self, span: Span) -> list[Line]:
        """One query over the uses of the month. They belong to no program: all stand with the first one."""
        if not there("offer_use"):
            return []
        first = fetch("SELECT min(id) FROM program")[0][0]
        if span.setup.id != first:
            return []
        amount, count = fetch(
            sql(
                "SELECT coalesce(sum(amount), 0), count(*) FROM offer_use WHERE state = 'redeemed'"
                " AND at >= {start} AND at < {end}",
                start=span.start,
                end=span.end,
            )
        )[0]
        return [Line("voucher_discounts", -Decimal(amount), int(count))]
