"""SQL for moments on a person's own clock; `local_instant` (a migration) is the twin of `kit.periods.local`."""

from datetime import datetime

from django.conf import settings

from loyalty.kit.periods import Period
from loyalty.kit.sql import Sql, sql


def zone() -> Sql:
    """The zone of the customer `c`, or the house's."""
    return sql("coalesce(c.timezone, {default})", default=settings.TIME_ZONE)


def elapsed_or_calendar(text: str, now: datetime) -> Sql:
    """timestamptz SQL: `now` plus a period, calendar ones on the customer's clock (`local_instant` knows DST" "
    nights).
    """
    period = Period.parse(text)
    if period.elapsed:
        return sql("{at}::timestamptz", at=period.add_to(now))
    return sql(
        "local_instant(({now}::timestamptz AT TIME ZONE {zone}) + make_interval(months => {months}, days =>"
        " {days}), {zone})",
        now=now,
        zone=zone(),
        months=period.months,
        days=period.days,
    )
