"""One background thread per process that runs the network side of sending, so that a worker renders and writes to the
database while earlier messages are on the wire. Connections live in its event loop and survive between batches."""

import asyncio
import os
import sys
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

# The network thread asks for the interpreter a dozen times per sub-chunk, and each time it would wait for up to 5 ms
# while the other thread renders. With 1 ms two senders did 3,180 messages a second where they had done 2,780.
SWITCH_SECONDS = 0.001

_lock = threading.Lock()
_running: tuple[int, asyncio.AbstractEventLoop] | None = None


def submit(work: Coroutine[Any, Any, T]) -> "Future[T]":
    """Run the coroutine in the network thread; started on first use, anew in a forked child."""
    return asyncio.run_coroutine_threadsafe(work, _loop())


def _loop() -> asyncio.AbstractEventLoop:
    global _running
    with _lock:
        if _running is None or _running[0] != os.getpid():
            loop = asyncio.new_event_loop()
            sys.setswitchinterval(SWITCH_SECONDS)
            threading.Thread(target=loop.run_forever, name="network", daemon=True).start()
            _running = (os.getpid(), loop)
        return _running[1]
