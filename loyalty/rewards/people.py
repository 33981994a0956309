"""What the rules of rewards look at in a person: membership, tier, segments, points, what they redeemed before."""

from collections.abc import Collection, Sequence
from datetime import datetime

from loyalty.kit.audiences import members_of
from loyalty.kit.sql import fetch, sql
from loyalty.program.setup import Setup
from loyalty.rewards.eligibility import Person
from loyalty.rewards.models import Redemption

# Limits per person count at most so many redemptions back; nobody redeems more.
MOST_REDEMPTIONS = 5_000


def know(customer_id: int, *, setup: Setup, segments: Collection[str]) -> Person:
    """The person in the program; `segments` are those that matter. Four queries."""
    member = fetch(
        sql(
            "SELECT m.id, m.state, t.key FROM member m LEFT JOIN tier t ON t.id = m.tier_id"
            " WHERE m.customer_id = {customer} AND m.program_id = {program}",
            customer=customer_id,
            program=setup.id,
        )
    )
    member_id, state, tier = member[0] if member else (None, "", None)
    points = fetch(
        sql(
            "SELECT w.key, greatest(0, b.active - b.owed) FROM member_balance b JOIN wallet w ON w.id = b.wallet_id"
            " WHERE b.member_id = {member}::bigint",
            member=member_id,
        )
    )
    return Person(state, tier, _segments(customer_id, segments), dict(points), redeemed(customer_id))


def _segments(customer_id: int, keys: Collection[str]) -> frozenset[str]:
    if not keys:
        return frozenset()
    query = sql(
        "SELECT DISTINCT a.key FROM ({audiences}) AS a (key, customer_id) WHERE a.customer_id = {customer}",
        audiences=members_of(keys),
        customer=customer_id,
    )
    return frozenset(row[0] for row in fetch(query))


def redeemed(customer_id: int, reward_ids: Sequence[int] | None = None) -> dict[int, list[datetime]]:
    """When the customer redeemed which reward and did not cancel, once for each piece; gifts and parts of bundles do
    not count."""
    rows = Redemption.objects.filter(customer_id=customer_id, parent_id=None).exclude(state="cancelled")
    rows = rows.exclude(source__in=GIFTS).order_by("-id")
    if reward_ids is not None:
        rows = rows.filter(reward_id__in=reward_ids)
    found: dict[int, list[datetime]] = {}
    for reward_id, at, quantity in rows.values_list("reward_id", "ordered_at", "quantity")[:MOST_REDEMPTIONS]:
        found.setdefault(reward_id, []).extend([at] * quantity)
    return found


GIFTS = ("gift", "prize", "draw")
