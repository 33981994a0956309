"""Points in the result: what is put aside for those issued, let go for those spent or expired."""

from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from loyalty.finance import books
from loyalty.finance.pnl_line import Line, Span, pnl_lines

_GROUPS = {
    "points_issued": (books.ISSUED, books.RETURNED),
    "points_released": (books.REDEEMED, books.REFUNDED),
    "points_breakage": (books.EXPIRED, books.ESTIMATE),
    "points_corrected": (books.CORRECTED,),
}


@pnl_lines.register("points")
class Points:
    """The bookings of the month from the side of the result: what makes more owed is a cost."""

    order = 20
    names = {
        "points_issued": _("Put aside for points issued"),
        "points_released": _("Let go for points spent"),
        "points_breakage": _("Points expired, and change of the estimate"),
        "points_corrected": _("Corrections and imports of points"),
    }

    def lines(self, span: Span) -> list[Line]:
        """One line for each group of bookings; no query."""
        found = []
        for key, members in _GROUPS.items():
            mine = [row for row in span.rows if row["line"] in members]
            amount = -sum((Decimal(row["amount"]) for row in mine), Decimal(0))
            found.append(Line(key, amount, sum(row["points"] or 0 for row in mine)))
        return found
