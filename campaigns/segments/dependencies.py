"""Pure: which segment needs which other one first."""

from collections.abc import Iterable, Mapping

References = Mapping[str, frozenset[str]]


def cycle(references: References, start: str) -> list[str]:
    """A way from `start` over references back to it, both ends included; empty when there is none."""
    came_from: dict[str, str] = {}
    waiting = [start]
    while waiting:
        here = waiting.pop()
        for there in sorted(references.get(here, ())):
            if there == start:
                path = [start, here]
                while path[-1] != start:
                    path.append(came_from[path[-1]])
                return path[::-1] if here != start else [start, start]
            if there not in came_from:
                came_from[there] = here
                waiting.append(there)
    return []


def ordered(references: References) -> list[str]:
    """All keys, each after those it refers to (a cycle, which saving refuses, is cut somewhere)."""
    done: dict[str, None] = {}
    for key in sorted(references):
        stack = [(key, False)]
        entered: set[str] = set()
        while stack:
            here, left = stack.pop()
            if left:
                done[here] = None
            elif here not in done and here not in entered and here in references:
                entered.add(here)
                stack.append((here, True))
                stack += [(there, False) for there in sorted(references[here], reverse=True)]
    return list(done)


def users_of(references: References, keys: Iterable[str]) -> set[str]:
    """Those that refer to one of the keys, directly or through others; without the keys themselves unless so."""
    found: set[str] = set()
    waiting = set(keys)
    while waiting:
        waiting = {user for user, used in references.items() if used & waiting} - found
        found |= waiting
    return found


def levels(references: References) -> dict[str, int]:
    """How many segments stand one below the other under each, itself not counted: where a drawing puts it."""
    found: dict[str, int] = {}
    for key in ordered(references):
        found[key] = max((found.get(inner, -1) + 1 for inner in references[key] if inner in references), default=0)
    return found
