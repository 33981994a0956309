"""Pure: whether a voucher or an offer fits a customer, a moment and a basket, and if not, why."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.offers.baskets import Line
from loyalty.offers.definition import PoolDocument, Usable
from loyalty.program.lines import matches
from loyalty.program.rule_definition import WEEKDAYS

Reason = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Situation:
    """What conditions look at; `at` is the instant, `zone` where documents name none."""

    at: datetime
    zone: str
    lines: Sequence[Line] = ()
    store: str | None = None
    channel: str | None = None
    currency: str | None = None
    customer_id: int | None = None
    tiers: Collection[str] = field(default_factory=frozenset)
    segments: Collection[str] = field(default_factory=frozenset)


def out_of_reach(document: Usable, situation: Situation) -> Reason | None:
    """Why something is not for this person, or not on this day; hours, weekdays and the basket are left aside."""
    return _of_days(document, situation) or _of_person(document, situation)


def mismatch(document: Usable, situation: Situation) -> Reason | None:
    """The first condition that does not hold, with what its sentence needs; None when all do."""
    return _of_time(document, situation) or _of_person(document, situation) or _of_basket(document, situation)


def _of_days(document: Usable, situation: Situation) -> Reason | None:
    when = document.when
    wall = situation.at.astimezone(ZoneInfo(document.timezone or situation.zone))
    begins, ends = [when.start], [when.end]
    if isinstance(document, PoolDocument):
        begins.append(document.valid.start)
        ends.append(document.valid.end)
    if later := [day for day in begins if day and wall.date() < day]:
        return "early", {"day": max(later).isoformat()}
    if earlier := [day for day in ends if day and wall.date() > day]:
        return "late", {"day": min(earlier).isoformat()}
    return None


def _of_time(document: Usable, situation: Situation) -> Reason | None:
    if reason := _of_days(document, situation):
        return reason
    when = document.when
    wall = situation.at.astimezone(ZoneInfo(document.timezone or situation.zone))
    if when.weekdays and WEEKDAYS[wall.weekday()] not in when.weekdays:
        return "weekday", {"days": list(when.weekdays)}
    if when.hours and not _within(wall, when.hours):
        return "hours", {"from": f"{when.hours[0]:%H:%M}", "to": f"{when.hours[1]:%H:%M}"}
    return None


def _within(wall: datetime, hours: tuple[Any, Any]) -> bool:
    """From the first to just before the second; over midnight when the second is earlier."""
    now = wall.time().replace(tzinfo=None)
    first, last = hours
    return bool(first <= now < last) if first <= last else bool(now >= first or now < last)


def _of_person(document: Usable, situation: Situation) -> Reason | None:
    when = document.when
    if (when.tiers or when.segments or document.limits.person) and situation.customer_id is None:
        return "unknown_customer", {}
    if when.tiers and not set(when.tiers) & set(situation.tiers):
        return "tier", {"tiers": list(when.tiers)}
    if when.segments and not set(when.segments) & set(situation.segments):
        return "segment", {}
    return None


def _of_basket(document: Usable, situation: Situation) -> Reason | None:
    when = document.when
    if when.stores and situation.store not in when.stores:
        return "store", {"stores": list(when.stores)}
    if when.channels and situation.channel not in when.channels:
        return "channel", {"channels": list(when.channels)}
    if situation.currency not in (None, document.currency):
        return "currency", {"currency": document.currency}
    meant = [line for line in situation.lines if matches(line.facts, when.only, when.without)]
    if (when.only or when.without) and not meant:
        return "lines", {}
    whole = sum((line.gross for line in meant), Decimal(0))
    if when.minimum is not None and whole < when.minimum:
        return "minimum", {"minimum": str(when.minimum), "missing": str(when.minimum - whole)}
    return None
