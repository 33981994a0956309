"""Limits around rendering: one template may cost 1 s of CPU, 128 MB and 1 MB of output, then it stops, alone.

`batch()` goes around the rendering of many messages in a worker's main thread: it caps the address space once (about
20 us) and lets every `TIMED` block arm a CPU timer (about 1 us). In other threads, where no signal can be received,
the output cap and its clock hold, and what the lint keeps out. Previews run in a child process of their own
(`preview.py`), which dies with its template. Imports nothing of Django: the child uses it too.
"""

import resource
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import FrameType

CPU_SECONDS = 1.0
MEMORY_BYTES = 128 * 1024 * 1024
OUTPUT_CHARACTERS = 1_000_000
# Chunks joined between two looks at size and clock; a usual mail has fewer, so it pays for one look (2 us).
CHUNKS = 512


class LimitReached(Exception):
    """A template went over a limit; the message says which."""


class _CpuTime(BaseException):
    """Raised by the timer inside the template; no `except Exception` on the way may swallow it."""


_armed = False
_ready = False


def _expired(_signal: int, _frame: FrameType | None) -> None:
    if _armed:
        raise _CpuTime


@contextmanager
def batch(*, memory_bytes: int = MEMORY_BYTES) -> Iterator[None]:
    """Cap what this process may allocate on top of what it has, and make the CPU timer ready, for the `with` block."""
    global _ready
    if threading.current_thread() is not threading.main_thread() or _ready:
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _expired)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    ceiling = _address_space() + memory_bytes
    if hard != resource.RLIM_INFINITY:
        ceiling = min(ceiling, hard)
    if soft == resource.RLIM_INFINITY or ceiling < soft:
        resource.setrlimit(resource.RLIMIT_AS, (ceiling, hard))
    _ready = True
    try:
        yield
    finally:
        _ready = False
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGVTALRM, before)


class _Timed:
    """`with TIMED:` stops the block after a second of CPU time; raises LimitReached, also for memory.

    A class, because it costs a third of a generator. The timer runs where a `batch` is open, in its thread.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        global _armed
        if _ready and threading.get_ident() == threading.main_thread().ident:
            _armed = True
            signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        global _armed
        if _armed:
            _armed = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if kind is _CpuTime:
            raise LimitReached(f"needs more than {CPU_SECONDS:g} s to render") from None
        if kind is MemoryError:
            raise LimitReached("needs too much memory to render") from None


TIMED = _Timed()


def is_open() -> bool:
    """Whether a `batch` is open in this process."""
    return _ready


def joined(chunks: Iterable[str]) -> str:
    """The output of a template, as long as it is short enough and quick enough; raises LimitReached."""
    source = iter(chunks)
    block = list(islice(source, CHUNKS))
    text = "".join(block)
    if len(block) < CHUNKS:
        if len(text) > OUTPUT_CHARACTERS:
            raise LimitReached(f"makes more than {OUTPUT_CHARACTERS:,} characters")
        return text
    started = time.thread_time()
    blocks = [text]
    size = len(text)
    while block := list(islice(source, CHUNKS)):
        blocks.append("".join(block))
        size += len(blocks[-1])
        if size > OUTPUT_CHARACTERS:
            raise LimitReached(f"makes more than {OUTPUT_CHARACTERS:,} characters")
        if time.thread_time() - started > CPU_SECONDS:
            raise LimitReached(f"needs more than {CPU_SECONDS:g} s to render")
    return "".join(blocks)


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()
