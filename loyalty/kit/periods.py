"""Pure: lengths of time as people write them, and wall-clock times that happen exactly once.

`90s 15m 2h 7d 2w` are elapsed: 1d is 24 hours, whatever the clocks do. `3 calendar days`, `1 month`, `1 year` are
calendar: the same time of day in the zone that applies. On a DST night a wall time inside the gap moves to the first
valid minute after it, one inside the overlap means its first occurrence. All results are aware and in UTC.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_ELAPSED = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_TEXT = re.compile(
    r"(?P<sign>[+-]?)\s*(?P<number>\d{1,9})\s*"
    r"(?:(?P<unit>[smhdw])|(?:calendar )?(?P<long>month|year)s?|calendar (?P<day>day|week)s?)",
    re.IGNORECASE | re.ASCII,
)
_HELP = "write 90s, 15m, 2h, 7d or 2w for elapsed time, `3 calendar days` or `1 month` for calendar time"
# Longer is a slip of the pen, and would run past the last year that datetime knows.
LONGEST_DAYS = 36_525


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time: either elapsed (`seconds` is set) or calendar (`months` and `days` in some zone).

    `seconds` is None for calendar periods, whose length depends on where they are laid.
    """

    seconds: int | None = None
    months: int = 0
    days: int = 0

    @classmethod
    def parse(cls, text: object, *, signed: bool = False) -> "Period":
        """The period a person wrote; with `signed`, `-7d` is allowed too. Raises ValueError saying what to write."""
        match = _TEXT.fullmatch(" ".join(text.split())) if isinstance(text, str) else None
        if match is None:
            raise ValueError(f"{text!r} is not a period: {_HELP}")
        if match["sign"] and not signed:
            raise ValueError(f"{text!r} has a sign, but only a plain length is possible here")
        number = int(match["number"]) * (-1 if match["sign"] == "-" else 1)
        if match["unit"]:
            period = cls(seconds=number * _ELAPSED[match["unit"].lower()])
        elif match["long"]:
            period = cls(months=number * (12 if match["long"].lower() == "year" else 1))
        else:
            period = cls(days=number * (7 if match["day"].lower() == "week" else 1))
        if period._rough_days() > LONGEST_DAYS:
            raise ValueError(f"{text!r} is longer than 100 years")
        return period

    @property
    def elapsed(self) -> bool:
        """Whether the length is the same everywhere (seconds to weeks) rather than laid along a calendar."""
        return self.seconds is not None

    def add_to(self, instant: datetime, zone: ZoneInfo | str = "UTC") -> datetime:
        """The instant this much later (in UTC); calendar periods keep the time of day in `zone`, month ends are kept
        inside their month (January 31 and a month is the last of February)."""
        return self._shift(instant, zone, 1)

    def subtract_from(self, instant: datetime, zone: ZoneInfo | str = "UTC") -> datetime:
        """The instant this much earlier (in UTC), by the same rules."""
        return self._shift(instant, zone, -1)

    def _shift(self, instant: datetime, zone: ZoneInfo | str, sign: int) -> datetime:
        if instant.tzinfo is None:
            raise ValueError("a period can only be laid at an aware instant")
        if self.seconds is not None:
            return instant.astimezone(UTC) + timedelta(seconds=sign * self.seconds)
        here = instant.astimezone(_zone(zone))
        day = _add_months(here.date(), sign * self.months) + timedelta(days=sign * self.days)
        if day == here.date():
            return instant.astimezone(UTC)
        return local(day, here.time(), zone)

    def _rough_days(self) -> float:
        if self.seconds is not None:
            return abs(self.seconds) / 86_400
        return abs(self.months) * 30.4375 + abs(self.days)

    def __str__(self) -> str:
        """A short text that parses to this period; weeks are told in days (`2w` becomes `14d`)."""
        if self.seconds is not None:
            for unit in ("d", "h", "m"):
                if self.seconds and self.seconds % _ELAPSED[unit] == 0:
                    return f"{self.seconds // _ELAPSED[unit]}{unit}"
            return f"{self.seconds}s"
        if self.months:
            return f"{self.months} month" + ("" if abs(self.months) == 1 else "s")
        return f"{self.days} calendar day" + ("" if abs(self.days) == 1 else "s")


def local(day: date, at: time, zone: ZoneInfo | str) -> datetime:
    """The instant (in UTC) when clocks in `zone` show `at` on `day`; exactly one, also on DST nights (see the
    module)."""
    where = _zone(zone)
    wall = datetime.combine(day, at.replace(tzinfo=None, fold=0))
    first = wall.replace(tzinfo=where).astimezone(UTC)
    if first.astimezone(where).replace(tzinfo=None) == wall:
        return first
    # Inside a gap. With fold=1 the offset after the gap is applied, which leads to before it; the border lies between
    # the two.
    before = wall.replace(tzinfo=where, fold=1).astimezone(UTC)
    return _border(before, first, where)


def _border(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first whole minute on the clock after the one change of offset between two instants."""
    old = before.astimezone(zone).utcoffset()
    low, high = int(before.timestamp()), int(after.timestamp()) + 1
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == old:
            low = middle
        else:
            high = middle
    spare = datetime.fromtimestamp(high, zone).second
    return datetime.fromtimestamp(high + (60 - spare if spare else 0), UTC)


def _add_months(day: date, months: int) -> date:
    if not months:
        return day
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


@lru_cache(maxsize=1024)
def _zone(zone: ZoneInfo | str) -> ZoneInfo:
    return zone if isinstance(zone, ZoneInfo) else ZoneInfo(zone)
