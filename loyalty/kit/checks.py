"""Invariants: each package registers SQL that must return no row; `manage.py verify` runs them all."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Invariant:
    """`query` selects violations (each row is one, its columns the facts); `guarantee` is the number it stands for."""

    key: str
    guarantee: int
    promise: str
    query: str


_invariants: dict[str, Invariant] = {}


def invariant(key: str, *, guarantee: int, promise: str, query: str) -> None:
    """Register an invariant; raises ValueError for a double key."""
    if key in _invariants:
        raise ValueError(f"invariant {key!r} is registered twice")
    _invariants[key] = Invariant(key, guarantee, promise, query)


def invariants() -> list[Invariant]:
    """All invariants by guarantee number, then key."""
    return sorted(_invariants.values(), key=lambda item: (item.guarantee, item.key))
