"""Registries for people's rights: each package says how to forget, how to show and how to merge what it holds about
people."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PersonalData:
    """What one package holds about people.

    `erase(customer_ids)` removes every trace and returns the number of rows touched; `export(customer_id)` returns the
    rows by table name; `merge(winner, loser)` hands the loser's rows to the winner. All run inside the caller's
    transaction.
    """

    package: str
    erase: Callable[[Sequence[int]], int]
    export: Callable[[int], dict[str, list[dict[str, Any]]]]
    merge: Callable[[int, int], int]


_holders: dict[str, PersonalData] = {}


def hold_personal_data(holder: PersonalData) -> None:
    """Register a package's part; raises ValueError when it registers twice."""
    if holder.package in _holders:
        raise ValueError(f"{holder.package} registered its personal data twice")
    _holders[holder.package] = holder


def holders() -> list[PersonalData]:
    """All registered parts, by package name."""
    return [_holders[name] for name in sorted(_holders)]
