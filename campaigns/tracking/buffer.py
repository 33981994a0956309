"""Group commit: what many requests bring at once is written as one set, and each is answered when its set is committed.

The first request that comes writes for itself; those that come while it writes wait together, and when it is done one
of them writes for all. So a lone request waits for nobody, a burst costs one transaction per round, no thread runs
beside the requests, and nothing that was answered can be lost by a crash.
"""

import time
from collections.abc import Callable, Sequence
from threading import Event, Lock
from typing import Generic, TypeVar

from django.db import DataError, IntegrityError

# A set of this size takes about 10 ms to write; more would only make its last request wait longer.
MOST_PER_SET = 100
# After a set of several, the next leader waits this long for those who were just answered and come again; without it
# sets of all and of one alternate, and each set costs the same.
GATHER_SECONDS = 0.002
# Longer than any set takes; a database that stands still must not hold every thread of the server.
PATIENCE_SECONDS = 10.0

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")


class Unavailable(RuntimeError):
    """The set was not written in time; whether it will be is not known."""


class _Entry(Generic[I, R]):
    __slots__ = ("error", "item", "leads", "result", "settled", "turn")

    def __init__(self, item: I) -> None:
        self.item = item
        self.turn = Event()
        self.leads = False
        self.settled = False
        self.result: R | None = None
        self.error: Exception | None = None


class GroupCommit(Generic[I, R]):
    """`write(items)` stores a set in one transaction and returns one result per item, in order."""

    def __init__(self, write: Callable[[Sequence[I]], Sequence[R]]) -> None:
        self._write = write
        self._lock = Lock()
        self._waiting: list[_Entry[I, R]] = []
        self._busy = False
        self._crowded = False

    def submit(self, item: I) -> R:
        """The result of `item` once its set is committed; raises what writing it raised, or Unavailable."""
        entry: _Entry[I, R] = _Entry(item)
        with self._lock:
            self._waiting.append(entry)
            entry.leads = not self._busy
            self._busy = True
        if not entry.leads:
            self._await_turn(entry)
        if entry.leads:
            self._lead()
        if entry.error is not None:
            raise entry.error
        return entry.result  # type: ignore[return-value]  # settled without an error means with a result

    def _await_turn(self, entry: _Entry[I, R]) -> None:
        if entry.turn.wait(PATIENCE_SECONDS):
            return
        with self._lock:
            if entry.settled or entry.leads:
                return
            if entry in self._waiting:
                self._waiting.remove(entry)
        raise Unavailable

    def _lead(self) -> None:
        """Write one set, the leader's own entry first in it, and pass the lead on."""
        if self._crowded:
            time.sleep(GATHER_SECONDS)
        with self._lock:
            batch = self._waiting[:MOST_PER_SET]
            del self._waiting[:MOST_PER_SET]
            self._crowded = len(batch) > 1
        try:
            self._write_apart(batch)
        finally:
            for entry in batch:
                entry.settled = True
                if entry.result is None and entry.error is None:
                    entry.error = Unavailable()
            with self._lock:
                if self._waiting:
                    self._waiting[0].leads = True
                    self._waiting[0].turn.set()
                else:
                    self._busy = False
            for entry in batch:
                entry.turn.set()

    def _write_apart(self, batch: list[_Entry[I, R]]) -> None:
        """Write the batch; one that cannot be written is found by halving, and fails alone."""
        try:
            results = self._write([entry.item for entry in batch])
        except (DataError, IntegrityError) as error:
            if len(batch) == 1:
                batch[0].error = error
                return
            middle = len(batch) // 2
            self._write_apart(batch[:middle])
            self._write_apart(batch[middle:])
        except Exception as error:  # noqa: BLE001 - handed to the requests that wait for it
            for entry in batch:
                entry.error = error
        else:
            for entry, result in zip(batch, results, strict=True):
                entry.result = result
