"""Pure: stable buckets. The same person is always at the same place in [0, 1) for the same seed.

The place is the first 32 bits of md5("seed:id") / 2^32, which PostgreSQL and Python compute alike; md5 because it is
in PostgreSQL's core and evenly spread, not for secrecy.
"""

import hashlib

from loyalty.kit.sql import Sql, sql


def place(seed: str, customer_id: int) -> float:
    """Where this person stands in [0, 1) for `seed`."""
    digest = hashlib.md5(f"{seed}:{customer_id}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:8], 16) / 2**32


def place_sql(seed: str, customer_id: Sql) -> Sql:
    """The SQL twin of `place`, a double precision expression."""
    return sql(
        "(('x' || substr(md5({seed} || ':' || {id}), 1, 8))::bit(32)::bigint & 4294967295) / 4294967296.0::float8",
        seed=seed,
        id=customer_id,
    )
