"""Who uses a segment: the segments that refer to it, and what the packages above have built on it.

A package above says so in its `segment_uses.py` (loaded at start) with `@segment_users`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from campaigns.segments.stored import Stored


@dataclass(frozen=True, slots=True)
class Use:
    """That `kind` `key` (flow, segment) uses the segment: `how` is joined or left (it begins when somebody joins or
    leaves), members (it takes all members at times) or asked (one of its conditions). `active`: it runs now.
    """

    segment: str
    kind: str
    key: str
    how: str
    active: bool = True
    name: str | None = None


Users = Callable[[], Iterable[Use]]
_users: list[Users] = []


def segment_users(users: Users) -> Users:
    """Decorator: the function returns every use of every segment by one package, in a fixed number of queries."""
    _users.append(users)
    return users


def all_uses(stored: Mapping[str, Stored]) -> list[Use]:
    """Every use of every segment, by segment."""
    found = [
        Use(inner, "segment", key, "asked", item.built_at is not None)
        for key, item in stored.items()
        for inner in item.reads.segments
    ]
    found += [use for users in _users for use in users()]
    return sorted(set(found), key=lambda use: (use.segment, use.kind, use.key, use.how))
