"""Named sets of people that a package above keeps (segments), for the packages below that show something only to them.

The package that keeps them registers one `Audiences` in its `audiences.py` (loaded at start).
"""

from collections.abc import Collection
from typing import Protocol

from loyalty.kit.sql import Sql, sql


class Audiences(Protocol):
    def members(self, keys: Collection[str]) -> Sql:
        """A SELECT of (key, customer_id) for everybody in these sets."""
        ...

    def known(self, keys: Collection[str]) -> set[str]:
        """Those of the keys that exist."""
        ...


_kept: list[Audiences] = []


def keep_audiences(audiences: Audiences) -> None:
    """Register who keeps them; raises ValueError when somebody does already."""
    if _kept:
        raise ValueError("audiences are kept already")
    _kept.append(audiences)


def members_of(keys: Collection[str]) -> Sql:
    """A SELECT of (key, customer_id) for everybody in these audiences, to be used as a subquery."""
    if not _kept:
        return sql("SELECT NULL::text AS key, NULL::bigint AS customer_id WHERE false")
    return _kept[0].members(keys)


def unknown(keys: Collection[str]) -> set[str]:
    """Those of the keys under which nobody keeps an audience; one query."""
    return set(keys) - (_kept[0].known(keys) if _kept and keys else set())
