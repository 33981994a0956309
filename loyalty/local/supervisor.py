"""Runs several processes in one terminal: prefixed output, restart with growing pauses, an orderly stop.

One thread, no helpers: children are forked from it, and a fork of a process with threads may hang.
"""

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TextIO

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
STABLE_AFTER = 60.0  # a child that lived this long starts again without the pauses it had earned
COLORS = (36, 32, 33, 35, 34, 96, 92, 95)


class Child(Protocol):
    """A running process; `subprocess.Popen` and `processes.Forked` are such."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def send_signal(self, number: int, /) -> None: ...


@dataclass
class Part:
    """One process to keep alive.

    `launch(output)` starts it with its output going to that descriptor. Parts stop in order of `stage`, those of one
    stage together: `stop_signal`, then after `patience` seconds the process group is killed. `essential`: the whole
    ends with it (its exit status becomes ours) instead of starting it again; without `restart` it simply stays away.
    """

    name: str
    launch: Callable[[int], Child]
    stage: int = 0
    stop_signal: int = signal.SIGTERM
    patience: float = 10.0
    essential: bool = False
    restart: bool = True
    finished: Callable[[int], None] | None = None

    child: Child | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    pause: float = field(default=FIRST_PAUSE, init=False)
    retry_at: float | None = field(default=None, init=False)
    done: bool = field(default=False, init=False)


class Supervisor:
    """Keeps parts alive until a signal or the end of an essential part."""

    def __init__(self, parts: list[Part], *, out: TextIO | None = None) -> None:
        self.parts = list(parts)
        self.out = out or sys.stdout
        self.exit_status = 0
        self._selector = selectors.DefaultSelector()
        self._pipes: dict[int, tuple[Part, bytearray]] = {}
        self._stopping = False
        self._signals = 0
        self._color = self.out.isatty()
        self._width = max((len(part.name) for part in self.parts), default=0)

    def say(self, name: str, text: str) -> None:
        """One line for people; `name` is the part it is about."""
        prefix = f"{name:<{self._width}} | "
        if self._color:
            names = [part.name for part in self.parts]
            number = COLORS[names.index(name) % len(COLORS)] if name in names else 37
            prefix = f"\x1b[{number}m{prefix}\x1b[0m"
        try:
            self.out.write(f"{prefix}{text}\n")
            self.out.flush()
        except OSError:
            pass  # the terminal is gone; that is no reason to leave children behind

    def adopt(self, part: Part, child: Child) -> None:
        """Take over a part that runs already."""
        part.child, part.started_at = child, time.monotonic()
        if part not in self.parts:
            self.parts.append(part)
        self._width = max(self._width, len(part.name))

    def start(self, part: Part) -> None:
        """Start one part, its output coming to us."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        try:
            self.adopt(part, part.launch(writing))
        except Exception as error:
            os.close(reading)
            self.say(part.name, f"does not start: {error}")
            self._plan_restart(part)
            return
        finally:
            os.close(writing)
        part.retry_at = None
        self._pipes[reading] = (part, bytearray())
        self._selector.register(reading, selectors.EVENT_READ)

    def leave(self) -> None:
        """For a forked child: close our pipes."""
        self._selector.close()
        for descriptor in self._pipes:
            os.close(descriptor)
        self._pipes.clear()

    def run(self, *, every_turn: Callable[[], None] = lambda: None) -> int:
        """Start what does not run yet, watch until the end, stop all; the exit status. `every_turn` must be quick."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        for number in before:
            signal.signal(number, self._on_signal)
        try:
            for part in self.parts:
                if part.child is None and not self._signals:
                    self.start(part)
            while not self._signals and not self._stopping:
                self.pump(0.2)
                self._watch()
                every_turn()
        finally:
            self.stop()
            for number, handler in before.items():
                signal.signal(number, handler)
        return self.exit_status

    def _on_signal(self, number: int, _frame: object) -> None:
        self._signals += 1

    def pump(self, timeout: float) -> None:
        """Pass on what children print, for at most `timeout` seconds."""
        if not self._pipes:
            time.sleep(timeout)
            return
        for key, _events in self._selector.select(timeout):
            self._read(key.fd)

    def _read(self, descriptor: int) -> None:
        part, rest = self._pipes[descriptor]
        try:
            chunk = os.read(descriptor, 65536)
        except BlockingIOError:
            return
        rest += chunk
        *lines, tail = bytes(rest).split(b"\n")
        if not chunk or len(tail) > 65536:
            lines, tail = [*lines, tail] if tail else lines, b""
        for line in lines:
            self.say(part.name, line.decode(errors="replace").rstrip())
        rest[:] = tail
        if not chunk:
            self._selector.unregister(descriptor)
            os.close(descriptor)
            del self._pipes[descriptor]

    def _watch(self) -> None:
        for part in self.parts:
            if part.child is not None and (status := part.child.poll()) is not None:
                self._ended(part, status)
            elif part.child is None and part.retry_at is not None and time.monotonic() >= part.retry_at:
                self.start(part)

    def _ended(self, part: Part, status: int) -> None:
        self.pump(0)
        lived = time.monotonic() - part.started_at
        part.child = None
        if part.finished:
            part.finished(status)
        if part.essential:
            part.done = True
            self.exit_status = status if status >= 0 else 128 - status
            self._stopping = True
            return
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        if not part.restart:
            return
        if lived > STABLE_AFTER:
            part.pause = FIRST_PAUSE
        self.say(part.name, f"{how} after {lived:.0f} s, starts again in {part.pause:g} s")
        self._plan_restart(part)

    def _plan_restart(self, part: Part) -> None:
        part.retry_at = time.monotonic() + part.pause
        part.pause = min(part.pause * 2, LONGEST_PAUSE)

    def end(self, status: int = 0) -> None:
        """Let `run` stop everything and return this status."""
        self.exit_status, self._stopping = status, True

    def stop(self) -> None:
        """Stop all parts, stage by stage; a second signal cuts the patience short."""
        self._stopping = True
        for stage in sorted({part.stage for part in self.parts}):
            living = [part for part in self.parts if part.stage == stage and part.child is not None]
            self._stop_together(living)
        for _ in range(len(self._pipes)):
            self.pump(0)

    def _stop_together(self, parts: list[Part]) -> None:
        began, signals = time.monotonic(), self._signals
        for part in parts:
            if part.child:
                part.child.send_signal(part.stop_signal)
        killed: set[str] = set()
        while waiting := [part for part in parts if part.child and part.child.poll() is None]:
            hurry = self._signals > signals + 1
            for part in waiting:
                if part.name not in killed and (hurry or time.monotonic() - began > part.patience):
                    self.say(part.name, "does not stop, is killed")
                    killed.add(part.name)
                    _kill_group(part.child)
            self.pump(0.02)
        for part in parts:
            part.child = None


def _kill_group(child: Child | None) -> None:
    if child:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            child.send_signal(signal.SIGKILL)
