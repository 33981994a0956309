"""Where values come from: the sources' ids, remembered by each process.

A source is made when something first comes from it; what it is called and its class are decided in the admin. An id is
remembered only when the transaction that read it has committed: a source made in one that was rolled back is not there.
"""

from datetime import datetime

from django.db import transaction

from loyalty.kit.sql import execute, fetch, sql

# What the product itself brings, and how we know it.
KNOWN: dict[str, str | None] = {
    "admin": "first",
    "api": "first",
    "events": "first",
    "import": None,
    "preferences": "zero",
    "tracker": "first",
}
KEY_MAX = 200

_ids: dict[str, int] = {}


def source_id(key: str, *, now: datetime) -> int:
    """The id of the source, made if it is new."""
    key = key.strip()[:KEY_MAX] or "api"
    found = _ids.get(key)
    if found is None:
        found = _find(key)
        if found is None:
            _make(key, now)
            found = _find(key)
        if found is None:
            raise LookupError(f"the source {key!r} was deleted meanwhile")
        _remember(key, found)
    return found


def learn_known(*, now: datetime) -> None:
    """Make sure that the product's own sources exist and forget what was remembered of an earlier database."""
    _ids.clear()
    for key in KNOWN:
        _make(key, now)


def _find(key: str) -> int | None:
    rows = fetch(sql("SELECT id FROM customer_source WHERE key = {key}", key=key))
    return rows[0][0] if rows else None


def _make(key: str, now: datetime) -> None:
    query = sql(
        "INSERT INTO customer_source (key, source_class, name, created_at)"
        " VALUES ({key}, {source_class}, '{{}}', {now}) ON CONFLICT (key) DO NOTHING",
        key=key,
        source_class=KNOWN.get(key),
        now=now,
    )
    execute(query)


def _remember(key: str, found: int) -> None:
    transaction.on_commit(lambda: _ids.__setitem__(key, found))
