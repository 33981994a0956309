"""Partners in the result: what they pay for points and fees, what they get for points spent with them."""

from django.utils.translation import gettext_lazy as _

from loyalty.finance.pnl_line import Line, Span, pnl_lines, there
from loyalty.kit.sql import fetch, sql


@pnl_lines.register("partners")
class Partners:
    """The settlement ledger of the month."""

    order = 10
    names = {
        "partner_points": _("Partners pay for points"),
        "partner_fees": _("Service fees of partners"),
        "partner_redemptions": _("Paid to partners for points spent there"),
    }

    def lines(self, span: Span) -> list[Line]:
        """One query over the entries of the month, and one that looks whether there are any."""
        if not there("settlement_entry", "partner"):
            return []
        issued, earned, fees, burned, paid = fetch(
            sql(
                "SELECT sum(CASE kind WHEN 1 THEN points WHEN 2 THEN -points ELSE 0 END),"
                " sum(CASE kind WHEN 1 THEN amount WHEN 2 THEN -amount ELSE 0 END),"
                " sum(CASE kind WHEN 5 THEN amount WHEN 6 THEN -amount ELSE 0 END),"
                " sum(CASE kind WHEN 3 THEN points WHEN 4 THEN -points ELSE 0 END),"
                " sum(CASE kind WHEN 3 THEN amount WHEN 4 THEN -amount ELSE 0 END)"
                " FROM settlement_entry e JOIN partner p ON p.id = e.partner_id WHERE p.program_id = {program}"
                " AND e.at >= {start} AND e.at < {end}",
                program=span.setup.id,
                start=span.start,
                end=span.end,
            )
        )[0]
        if issued is None:
            return []
        return [
            Line("partner_points", earned, int(issued)),
            Line("partner_fees", fees),
            Line("partner_redemptions", -paid, int(burned)),
        ]
