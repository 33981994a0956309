"""Invariants: each package registers SQL that must return no row; `manage.py verify` runs them all.

Where the truth lies outside the database (what a mail sink really took), a package registers a reconciliation: a
function that compares a log with the database.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import DatabaseError, connection, transaction

SAMPLES_MAX = 5

Compare = Callable[[Path], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Invariant:
    """`query` selects violations (each row is one, its columns the facts); `guarantee` is the number it stands for."""

    key: str
    guarantee: int
    promise: str
    query: str


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """`compare(log)` returns a dict of facts for each difference between the log and the database."""

    key: str
    guarantee: int
    promise: str
    compare: Compare


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check found; `failure` says why it could not be run, which counts as a violation."""

    key: str
    guarantee: int
    promise: str
    violations: int
    samples: list[dict[str, Any]]
    failure: str = ""

    @property
    def holds(self) -> bool:
        return not self.violations and not self.failure


_invariants: dict[str, Invariant] = {}
_reconciliations: dict[str, Reconciliation] = {}


def invariant(key: str, *, guarantee: int, promise: str, query: str) -> None:
    """Register an invariant; raises ValueError for a double key."""
    if key in _invariants:
        raise ValueError(f"invariant {key!r} is registered twice")
    _invariants[key] = Invariant(key, guarantee, promise, query)


def reconciliation(key: str, *, guarantee: int, promise: str) -> Callable[[Compare], Compare]:
    """Decorator: `verify --sink LOG` calls the function with the log's path; raises ValueError for a double key."""

    def decorate(compare: Compare) -> Compare:
        if key in _reconciliations:
            raise ValueError(f"reconciliation {key!r} is registered twice")
        _reconciliations[key] = Reconciliation(key, guarantee, promise, compare)
        return compare

    return decorate


def invariants() -> list[Invariant]:
    """All invariants by guarantee number, then key."""
    return sorted(_invariants.values(), key=lambda item: (item.guarantee, item.key))


def reconciliations() -> list[Reconciliation]:
    """All reconciliations by guarantee number, then key."""
    return sorted(_reconciliations.values(), key=lambda item: (item.guarantee, item.key))


def verdict(check: Invariant | Reconciliation, log: Path | None = None) -> Verdict:
    """Run one check; a reconciliation needs its log."""
    try:
        if isinstance(check, Invariant):
            violations, samples = _violations(check.query)
        else:
            found = check.compare(log) if log else []
            violations, samples = len(found), found[:SAMPLES_MAX]
    except (DatabaseError, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        return Verdict(check.key, check.guarantee, check.promise, 0, [], failure=reason or type(error).__name__)
    return Verdict(check.key, check.guarantee, check.promise, violations, samples)


def _violations(query: str) -> tuple[int, list[dict[str, Any]]]:
    """How many rows the query has, and the first few."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) OVER () AS violations_found, violation.* FROM ({query.strip().rstrip(';')}) violation "
            f"LIMIT {SAMPLES_MAX}"
        )
        names = [column.name for column in cursor.description][1:]
        rows = cursor.fetchall()
    return (rows[0][0] if rows else 0), [dict(zip(names, row[1:], strict=True)) for row in rows]
