"""What `manage.py doctor` looks at here: stocks of codes, and budgets."""

from collections.abc import Iterable

from loyalty.kit.clock import now
from loyalty.kit.diagnoses import Finding, diagnosis, ok, warning
from loyalty.offers import forecast, queries


@diagnosis("voucher codes", order=70)
def look_at_stock() -> Iterable[Finding]:
    """Every pool that was brought its codes has enough of them."""
    low = queries.running_low()
    for key, left, threshold in low:
        told = f"{key} has {left} codes left, fewer than {threshold}"
        yield warning(told, f"bring more: manage.py import_codes {key} FILE")
    if not low:
        yield ok("no stock of voucher codes runs low")


@diagnosis("voucher budgets", order=71)
def look_at_budgets() -> Iterable[Finding]:
    """Nothing that is active will be used up within two weeks."""
    found = forecast.running_out(now=now())
    for kind, key, one in found:
        what = "its limit" if one.by == "total" else "its budget"
        told = f"{kind} {key} will have used up {what} on {one.empty_on} at the pace of the last four weeks"
        yield warning(told, f"raise limits.{one.by} in its document, or let it end")
    if not found:
        yield ok("no limit and no budget of vouchers and offers runs out within two weeks")
