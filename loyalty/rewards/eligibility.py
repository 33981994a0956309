"""Pure: whether somebody may see a reward and may redeem it now, said in stable words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from loyalty.program.rule_definition import Times
from loyalty.rewards.definition import Price, RewardDocument

NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of somebody: the state of the membership ('' for none), the tier, the segments they are in, points
    by wallet, and when they redeemed which reward (a time for each piece)."""

    state: str = ""
    tier: str | None = None
    segments: frozenset[str] = NONE
    points: dict[str, int] = field(default_factory=dict)
    redeemed: dict[int, list[datetime]] = field(default_factory=dict)


def visible(document: RewardDocument, person: Person, now: datetime) -> bool:
    """Whether the shop shows it to them: the time, one of its tiers, one of its segments."""
    shown = document.visible
    return (
        document.state == "active"
        and shown.holds(now)
        and (not shown.tiers or person.tier in shown.tiers)
        and (not shown.segments or not person.segments.isdisjoint(shown.segments))
    )


def period_start(per: str, now: datetime, zone: str) -> datetime | None:
    """When the day, week, month or year began in that zone; None for `ever`."""
    midnight = now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if per == "day":
        return midnight.astimezone(UTC)
    if per == "week":
        return (midnight - timedelta(days=midnight.weekday())).astimezone(UTC)
    if per == "month":
        return midnight.replace(day=1).astimezone(UTC)
    if per == "year":
        return midnight.replace(month=1, day=1).astimezone(UTC)
    return None


def left_for(limit: Times | None, redeemed: Sequence[datetime], now: datetime, zone: str) -> int | None:
    """How many more one person may have now; None without a limit."""
    if limit is None:
        return None
    start = period_start(limit.per, now, zone)
    used = len([at for at in redeemed if start is None or at >= start])
    return max(0, limit.max - used)


def missing(prices: Sequence[Price], available: int) -> int:
    """The points that the cheapest price needs and the person has not."""
    return max(0, min(price.points for price in prices) - available)


def why_not(
    document: RewardDocument, person: Person, *, reward_id: int, wallet: str, left: int | None, now: datetime, zone: str
) -> str:
    """Why somebody who sees it cannot redeem it now: member, later, over, stock, limit, points; empty when they can."""
    times = document.redeemable
    if person.state not in ("active", "left"):
        return "member"
    if times.start and now < times.start:
        return "later"
    if times.end and now >= times.end:
        return "over"
    if left is not None and left < 1:
        return "stock"
    if left_for(document.per_person, person.redeemed.get(reward_id, ()), now, zone) == 0:
        return "limit"
    return "points" if missing(document.options, person.points.get(wallet, 0)) else ""
