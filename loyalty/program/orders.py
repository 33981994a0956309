"""What others want done with people's points, written in their own transaction and carried out by the next chore.

A flow moves tens of thousands of people in one statement; the ledger locks members one by one, in the order of their
ids. So the statement only writes orders, each with a key that makes it happen once, and the chore does the rest with
its own locks. An order for points counts at once against what the next order finds.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, sql
from loyalty.program.companions import PointsOrder
from loyalty.program.setup import load

AWARD, SPEND, LOCK, TIER = (str(kind) for kind in PointsOrder.Kind)
# Kinds that take points from what can be spent.
TAKING = (SPEND, LOCK)

_PLACE = """(SELECT p.id AS program_id, w.id AS wallet_id{tier}
    FROM program p JOIN wallet w ON w.program_id = p.id{join}
    WHERE {program} AND {wallet} ORDER BY w.position LIMIT 1)"""


@dataclass(frozen=True, slots=True)
class Place:
    """Which program and wallet: the only program and the first wallet where none is named."""

    program: str | None = None
    wallet: str | None = None

    def select(self, tier: str | None = None) -> Sql:
        """One row (program_id, wallet_id, and tier_id where a tier is named)."""
        program = (
            sql("p.key = {key}", key=self.program)
            if self.program is not None
            else Sql("p.id = (SELECT min(id) FROM program HAVING count(*) = 1)")
        )
        join = sql(" JOIN tier t ON t.program_id = p.id AND t.key = {key}", key=tier) if tier is not None else Sql("")
        return sql(
            _PLACE,
            program=program,
            wallet=sql("w.key = {key}", key=self.wallet) if self.wallet is not None else Sql("TRUE"),
            tier=Sql(", t.id AS tier_id") if tier is not None else Sql(""),
            join=join,
        )


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted for each person: points for an award, a spend or a lock (for `lasts` seconds), else a tier (None
    takes it away, `lasts` seconds long; 0 is without end)."""

    kind: str
    place: Place = Place()
    points: int | None = None
    lasts: int | None = None
    tier: str | None = None
    reason: str | None = None
    position: int = 0


def ctes(name: str, wish: Wish, rows: Sql, *, now: datetime) -> Sql:
    """The CTE `name` that writes the orders; `rows` selects (customer_id, key uuid, source).

    A key known before does nothing."""
    return sql(
        """{name} AS (
            INSERT INTO points_order (program_id, wallet_id, customer_id, kind, points, lasts, tier_id, reason, source,
                key, wanted_at, position)
            SELECT p.program_id, p.wallet_id, r.customer_id, {kind}, {points}::int, {lasts}::bigint, {tier},
                {reason}::text, r.source, r.key, {now}, {position} FROM ({rows}) r CROSS JOIN {place} p
            ON CONFLICT (key) DO NOTHING
        )""",
        name=Sql(name),
        kind=wish.kind,
        points=wish.points,
        lasts=wish.lasts,
        tier=Sql("p.tier_id") if wish.tier is not None else Sql("NULL::int"),
        reason=wish.reason,
        now=now,
        position=wish.position,
        rows=rows,
        place=wish.place.select(wish.tier),
    )


def can_pay(points: int, place: Place) -> Sql:
    """Boolean SQL over the customer `c`: has so many points, after what was already ordered from them."""
    return sql(
        """EXISTS (SELECT FROM {place} p JOIN member m ON m.program_id = p.program_id AND m.customer_id = c.id
                AND m.state IN ('active', 'left')
            JOIN member_balance b ON b.member_id = m.id AND b.wallet_id = p.wallet_id
            WHERE b.active - b.owed - coalesce((SELECT sum(o.points) FROM points_order o WHERE o.customer_id = c.id
                AND o.wallet_id = p.wallet_id AND o.settled_at IS NULL AND o.kind = ANY({taking}::text[])), 0)
                >= {points}::int)""",
        place=place.select(),
        taking=list(TAKING),
        points=points,
    )


def problems(
    place: Place, *, tier: str | None = None, paying: bool = False, coming: Collection[str] = (),
    tiers: Collection[str] = (),
) -> list[Problem]:  # fmt: skip
    """What is wrong with a place, and with a tier there. `coming` programs and `tiers` stand in the same document and
    tell their own mistakes; `paying`: points are taken from the wallet."""
    if coming and (place.program is None or place.program in coming):
        return []
    try:
        setup = load(place.program)
        _, settings = setup.wallet(place.wallet)
    except Problems as error:
        return list(error.problems)
    found = []
    if paying and not settings.spendable:
        found.append(Problem("wallet", f"{settings.key} is no wallet to pay with"))
    known = [one.key for one in setup.tiers]
    if tier is not None and tier not in (*known, *tiers):
        found.append(Problem("tier", f"unknown tier {tier!r}", f"known: {', '.join(known) or 'none'}"))
    return found
