"""What `manage.py doctor` looks at here: stocks of codes."""

from collections.abc import Iterable

from loyalty.kit.diagnoses import Finding, diagnosis, ok, warning
from loyalty.offers import queries


@diagnosis("voucher codes", order=70)
def look_at_stock() -> Iterable[Finding]:
    """Every pool that was brought its codes has enough of them."""
    low = queries.running_low()
    for key, left, threshold in low:
        told = f"{key} has {left} codes left, fewer than {threshold}"
        yield warning(told, f"bring more: manage.py import_codes {key} FILE")
    if not low:
        yield ok("no stock of voucher codes runs low")
