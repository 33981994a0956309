"""Blocks of enrollment ids: reserved at entry, claimed when due, timed anew after a sweep.

A block belongs to one version, so work splits by block and two workers never stand on one index head (measured:
466,000 steps
per second on disjoint blocks against 202,000 on a shared head).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from campaigns.flows.models import BLOCK_BITS, BLOCK_SIZE
from loyalty.kit.sql import Sql, execute, fetch, sql, statement

# 10 blocks are about 20,000 people, 0.2-0.5 s a transaction: the knee of the measured curve; more only holds locks
# longer.
CLAIM_BLOCKS = 10


@dataclass(frozen=True, slots=True)
class Reserved:
    """Ids for `n` people: `first` and `left` in the block that was open, then whole new blocks."""

    first: int
    left: int
    blocks: tuple[int, ...]

    def ids(self) -> Sql:
        """SQL over `x.n` (0-based) giving each its id."""
        if not self.blocks:
            return sql("({first}::bigint + x.n)", first=self.first)
        fresh = sql(
            "((({blocks}::bigint[])[1 + ((x.n - {left}) >> {bits})] << {bits}) | ((x.n - {left}) & {mask}))",
            blocks=list(self.blocks),
            left=Sql(str(self.left)),
            bits=Sql(str(BLOCK_BITS)),
            mask=Sql(str(BLOCK_SIZE - 1)),
        )
        if not self.left:
            return fresh
        return sql(
            "CASE WHEN x.n < {left} THEN {first}::bigint + x.n ELSE {fresh} END",
            left=Sql(str(self.left)),
            first=self.first,
            fresh=fresh,
        )


def reserve(version_id: int, n: int) -> Reserved:
    """Ids for `n` new enrollments of the version. Call under the flow's entry lock; holds the open block's row."""
    open_block = fetch(
        "SELECT id, used FROM flow_block WHERE version_id = %(version)s ORDER BY id DESC LIMIT 1 FOR UPDATE",
        {"version": version_id},
    )
    first, left = 0, 0
    if open_block:
        block, used = open_block[0]
        left = min(n, BLOCK_SIZE - used)
        first = (block << BLOCK_BITS) + used
        if left:
            execute("UPDATE flow_block SET used = used + %(n)s WHERE id = %(id)s", {"n": left, "id": block})
    more = n - left
    if not more:
        return Reserved(first, left, ())
    rows = fetch(
        "INSERT INTO flow_block (id, version_id, used)"
        " SELECT nextval('flow_block_id_seq'), %(version)s, least(%(size)s, %(more)s - i * %(size)s)"
        " FROM generate_series(0, (%(more)s - 1) / %(size)s) AS i RETURNING id",
        {"version": version_id, "size": BLOCK_SIZE, "more": more},
    )
    return Reserved(first, left, tuple(row[0] for row in rows))


@dataclass(frozen=True, slots=True)
class Claim:
    """Locked blocks of one version; the locks end with the transaction."""

    version_id: int
    block_ids: tuple[int, ...]

    def ranges(self) -> list[tuple[int, int]]:
        """The enrollment ids as half-open ranges, neighboring blocks joined."""
        joined: list[tuple[int, int]] = []
        for block in self.block_ids:
            low, high = block << BLOCK_BITS, (block + 1) << BLOCK_BITS
            if joined and joined[-1][1] == low:
                joined[-1] = (joined[-1][0], high)
            else:
                joined.append((low, high))
        return joined


def claim_due(*, now: datetime, states: Sequence[str], limit: int = CLAIM_BLOCKS) -> Claim | None:
    """Lock up to `limit` due blocks of one version whose flow is in one of `states`; None when nothing is due."""
    rows = fetch(statement("campaigns.flows", "claim_blocks"), {"now": now, "states": list(states), "limit": limit})
    if not rows:
        return None
    return Claim(rows[0][1], tuple(sorted(row[0] for row in rows)))


def time_anew(claim: Claim) -> None:
    """Set the timers of swept blocks to their earliest due row; blocks where nobody waits are never looked at again."""
    execute(statement("campaigns.flows", "time_blocks"), {"blocks": list(claim.block_ids)})


def lock(block_ids: Sequence[int]) -> None:
    """Lock these blocks in id order, as every writer of enrollments does before it touches one."""
    fetch(
        "SELECT id FROM flow_block WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE",
        {"ids": sorted(set(block_ids))},
    )
