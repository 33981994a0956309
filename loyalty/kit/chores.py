"""Chores: the small idempotent ticks that move everything forward.

Each package registers its chores in `tasks.py`; beat, the Celery task, the broker-free ticker and `manage.py tick` all
work from this one list. A chore looks for due work in PostgreSQL, does at most about 20 seconds of it and says how much
it did; it never carries a person in its arguments, so losing a hint loses nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db import transaction

QUEUES = ("triggers", "flows", "send.email", "segments", "reports", "maintenance")


class ChoreFunction(Protocol):
    def __call__(self, *, now: datetime) -> int: ...


@dataclass(frozen=True, slots=True)
class Chore:
    """`run(now=...)` does what is due and returns how much it did; 0 means idle.

    `every` is the longest wait between two looks in seconds; `order` is the place in a foreground tick (upstream
    first: events before segments before flows before sending).
    """

    key: str
    queue: str
    every: float
    order: int
    run: ChoreFunction


_chores: dict[str, Chore] = {}
_hint_senders: list[Callable[[Chore], None]] = []


def chore(key: str, *, queue: str, every: float, order: int) -> Callable[[ChoreFunction], ChoreFunction]:
    """Decorator: register the function as the chore `key`; raises ValueError for a double key or unknown queue."""

    def decorate(function: ChoreFunction) -> ChoreFunction:
        if key in _chores:
            raise ValueError(f"chore {key!r} is registered twice")
        if queue not in QUEUES:
            raise ValueError(f"chore {key!r} names the unknown queue {queue!r}; known: {', '.join(QUEUES)}")
        _chores[key] = Chore(key, queue, every, order, function)
        return function

    return decorate


def all_chores() -> Iterable[Chore]:
    """Every registered chore, upstream first."""
    return sorted(_chores.values(), key=lambda item: (item.order, item.key))


def get_chore(key: str) -> Chore:
    """The chore with that key; raises KeyError naming the known ones."""
    try:
        return _chores[key]
    except KeyError:
        raise KeyError(f"unknown chore {key!r}; known: {', '.join(sorted(_chores))}") from None


def hint(key: str) -> None:
    """Say that there is work for a chore, once the current transaction has committed. Losing it is harmless."""
    transaction.on_commit(lambda: _send(get_chore(key)))


def send_hints_with(sender: Callable[[Chore], None]) -> None:
    """Let `sender` carry hints (the Celery wiring does); with none, the ticker finds the work by itself."""
    _hint_senders[:] = [sender]


def _send(item: Chore) -> None:
    for sender in _hint_senders:
        sender(item)
