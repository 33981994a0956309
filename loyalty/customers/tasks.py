"""The chores of customers: uploaded files are imported, the quality of the data is counted once a day."""

from datetime import datetime

from loyalty.customers import measuring, uploads
from loyalty.kit.chores import chore


@chore("customers.import", queue="maintenance", every=5, order=15)
def import_uploads(*, now: datetime) -> int:
    """Go on with uploaded files for a while; the number of rows read."""
    return uploads.work(now=now)


@chore("customers.quality", queue="maintenance", every=60, order=90)
def measure_quality(*, now: datetime) -> int:
    """Count what was not counted today; the number of figures."""
    return measuring.measure(now=now)
