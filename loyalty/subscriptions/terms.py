"""Pure: the calendar and the money of a contract: when it can end, what part of a fee is used up."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from loyalty.kit.periods import Period, local

WITHDRAWAL_DAYS = 14
CENT = Decimal("0.01")
# Nobody cancels for a day further away than that; a later one is a slip of the pen.
LATEST_WISH = timedelta(days=3 * 365)


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a contract that is ordered now begins to cost, and what its first period is."""

    trial_ends_at: datetime | None
    anchor_at: datetime
    first_term_ends_at: datetime
    withdraw_until: datetime


def add_months(anchor: datetime, months: int, zone: str) -> datetime:
    """The same time of day this many months later; month ends stay inside their month."""
    return Period(months=months).add_to(anchor, zone) if months else anchor


def calendar(*, ordered_at: datetime, trial_days: int, term_months: int, zone: str) -> Calendar:
    """The dates of a new contract. The day of the order does not count for the 14 days of withdrawal (§ 355)."""
    trial_ends = None
    if trial_days:
        here = ordered_at.astimezone(ZoneInfo(zone))
        trial_ends = local(here.date() + timedelta(days=trial_days), here.time(), zone)
    anchor = trial_ends or ordered_at
    last = ordered_at.astimezone(ZoneInfo(zone)).date() + timedelta(days=WITHDRAWAL_DAYS + 1)
    return Calendar(trial_ends, anchor, add_months(anchor, term_months, zone), local(last, time(0), zone))


def end_of_cancelled(
    *, declared_at: datetime, notice: timedelta, trial_ends_at: datetime | None, first_term_ends_at: datetime,
    term_ends_at: datetime, wished: date | None, zone: str, has_term: bool,
) -> datetime:  # fmt: skip
    """When a contract ends that is cancelled now.

    In a trial with it, at no cost. Later not before the first term is over, and never later than the notice from now;
    what is paid already runs out first if that is sooner. A later day than that is possible when it is wished.
    """
    if trial_ends_at is not None and declared_at < trial_ends_at:
        earliest = trial_ends_at
    else:
        earliest = max(declared_at, min(max(term_ends_at, declared_at), declared_at + notice))
        if has_term:
            # The notice is to be kept before the first term ends; afterwards it runs from now.
            kept = declared_at + notice <= first_term_ends_at
            earliest = first_term_ends_at if kept else max(first_term_ends_at, earliest)
    if wished is not None:
        wished = min(wished, (declared_at + LATEST_WISH).date())
        return max(earliest, local(wished + timedelta(days=1), time(0), zone))
    return earliest


def part(amount: Decimal, start: datetime, end: datetime, until: datetime) -> Decimal:
    """The part of an amount for start..end that falls before `until`, rounded to cents."""
    whole = (end - start).total_seconds()
    used = min(max((until - start).total_seconds(), 0.0), whole)
    return (amount * Decimal(used) / Decimal(whole)).quantize(CENT, ROUND_HALF_UP)
