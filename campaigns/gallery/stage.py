"""What the scenes of the demo share: telling what is done and how long it took, and waiting for the workers."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.core.management import call_command
from django.db import connection

PATIENCE_SECONDS = 120
LOOK_EVERY_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Stage:
    """`say` takes one line for whoever looks on."""

    say: Callable[[str], None]

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Tell what was done, and how long it took."""
        began = time.monotonic()
        yield
        self.say(f"{what} ({time.monotonic() - began:.1f} s)")
        connection.close_if_unusable_or_obsolete()

    def wait(self, done: Callable[[], Any], what: str, *, patience: float = PATIENCE_SECONDS) -> None:
        """Until it is done; raises TimeoutError."""
        began = time.monotonic()
        while not done():
            if time.monotonic() - began > patience:
                raise TimeoutError(f"waited {patience:.0f} s in vain for {what}; see the workers' lines above")
            time.sleep(LOOK_EVERY_SECONDS)


def run_quietly(command: str, *arguments: str, **options: Any) -> None:
    """Run a management command; what it prints is dropped, the demo tells its own story."""
    call_command(command, *arguments, stdout=_Quiet(), **options)


class _Quiet:
    """Takes what a command prints."""

    def write(self, text: str) -> None: ...

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return False
