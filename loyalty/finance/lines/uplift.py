"""What the program brought, where somebody compared with people who were held out."""

from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from loyalty.finance import uplift
from loyalty.finance.pnl_line import Line, Span, pnl_lines


@pnl_lines.register("uplift")
class IncrementalMargin:
    """The sum of what the registered measures found."""

    order = 5
    names = {"uplift": _("Additional margin against people held out")}

    def lines(self, span: Span) -> list[Line]:
        """As many queries as the measures need."""
        found = uplift.of_time(span.setup.key, span.start, span.end)
        return [Line("uplift", sum((one.amount for one in found), Decimal(0)), sum(one.people for one in found))]
