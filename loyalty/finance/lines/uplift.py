"""What the program brought, where somebody compared with people who were held out."""

from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from loyalty.finance import personal_offers, uplift
from loyalty.finance.pnl_line import Line, Span, pnl_lines

__all__ = ["personal_offers"]


@pnl_lines.register("uplift")
class IncrementalMargin:
    """The sum of what the registered measures found; each of them stands with it."""

    order = 5
    names = {"uplift": _("Additional margin against people held out")}

    def lines(self, span: Span) -> list[Line]:
        """As many queries as the measures need."""
        found = uplift.of_time(span.setup.key, span.start, span.end)
        amount = sum((one.counted for one in found), Decimal(0))
        people = sum(one.people for one in found if one.counted)
        return [Line("uplift", amount, people, tuple(one.plain() for one in found))]
