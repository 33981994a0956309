"""Two profiles side by side, with what becomes of them when they are joined."""

from dataclasses import dataclass
from typing import Any

from loyalty.customers.joining import winner_of
from loyalty.customers.models import Customer
from loyalty.customers.rows import COLUMNS


@dataclass(frozen=True, slots=True)
class Row:
    """One field: both values and the result; `conflict` when two values stand against each other and one goes."""

    field: str
    one: Any
    other: Any
    result: Any
    conflict: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """The fields that either has, the id of who stays, and whether that is the first."""

    rows: list[Row]
    winner_id: int
    first_stays: bool


def comparison(one: Customer, other: Customer) -> Comparison:
    """What joining these two would give, by the rules of `joining`."""
    winner_id, _loser = winner_of((one.pk, one.external_id), (other.pk, other.external_id))
    first = winner_id == one.pk
    rows = [_row(name, getattr(one, name), getattr(other, name), first) for name in COLUMNS]
    keys = sorted({*one.attributes, *other.attributes})
    rows += [_row(key, one.attributes.get(key), other.attributes.get(key), first) for key in keys]
    return Comparison([row for row in rows if (row.one, row.other) != (None, None)], winner_id, first)


def _row(field: str, one: Any, other: Any, first: bool) -> Row:
    winner, loser = (one, other) if first else (other, one)
    result = loser if winner is None else winner
    # Both external ids go on naming the person.
    return Row(field, one, other, result, field != "external_id" and None not in (one, other) and one != other)
