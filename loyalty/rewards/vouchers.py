"""Rewards that bring a voucher (a discount, a gift card): one of a voucher pool for each piece.

Which vouchers a redemption has brought follows from its number: they were issued under keys made of it.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import md5
from uuid import UUID

from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, fetch, sql
from loyalty.offers import issuing

# The same in SQL, for a redemption `o`.
ISSUED = Sql(
    "CROSS JOIN generate_series(1, o.quantity) AS n"
    " JOIN voucher v ON v.issue_key = md5('redemption:' || o.id || ':' || n)::uuid"
)


def key_of(redemption_id: int, number: int) -> UUID:
    """The key under which the voucher for that piece (from 1) is issued."""
    return UUID(md5(f"redemption:{redemption_id}:{number}".encode(), usedforsecurity=False).hexdigest())


def issue(
    pool: str, redemptions: Sequence[tuple[int, int]], *, each: int, amount: Decimal | None, now: datetime
) -> bool:
    """`each` vouchers for these (redemption, customer); whether there were enough. Raises Problems for a pool that
    gives none at the moment."""
    wanted = [
        issuing.Wanted(customer_id, key_of(redemption_id, number), amount)
        for redemption_id, customer_id in redemptions
        for number in range(1, each + 1)
    ]
    return None not in issuing.issue(pool, wanted, source="reward", now=now)


def withdraw(redemption_ids: Sequence[int], *, now: datetime) -> int:
    """Withdraw the vouchers of cancelled redemptions, how many; raises Problems when somebody used one."""
    if not redemption_ids:
        return 0
    rows = fetch(
        sql(
            "SELECT v.id, v.uses > 0 OR v.held > 0 FROM reward_redemption o {issued}"
            " WHERE o.id = ANY({ids}::bigint[]) AND v.state <> 2 ORDER BY v.id FOR UPDATE OF v",
            issued=ISSUED,
            ids=list(redemption_ids),
        )
    )
    if any(used for _id, used in rows):
        raise Problems([Problem("redemption", "its voucher was used already", "take the purchase back first")])
    return issuing.void([row[0] for row in rows], now=now)


def codes(redemption_ids: Sequence[int]) -> dict[int, list[str]]:
    """The codes by redemption, but for those that were withdrawn."""
    if not redemption_ids:
        return {}
    rows = fetch(
        sql(
            "SELECT o.id, v.code FROM reward_redemption o {issued} WHERE o.id = ANY({ids}::bigint[])"
            " AND v.code IS NOT NULL AND v.state <> 2 ORDER BY o.id, n",
            issued=ISSUED,
            ids=list(redemption_ids),
        )
    )
    found: dict[int, list[str]] = {}
    for redemption_id, code in rows:
        found.setdefault(redemption_id, []).append(code)
    return found
