"""The whole house in one terminal: services, web, workers, beat, ticker, mail sink. `up` and the demo run it."""

import gc
import http.client
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from loyalty.local import processes, roles, runtime, state
from loyalty.local.supervisor import Child, Part, Supervisor

ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the site is and how to get in."""

    url: str
    login: str
    password: str


class Site:
    """One run of the house; `script`, if given, runs as one more process as soon as the first page answers.

    With `once` the house ends with the script, and its exit status is the script's.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        processes_each: int = 2,
        script: Callable[[Address], int] | None = None,
        once: bool = False,
    ) -> None:
        self.host = host
        self.port = int(os.environ["WEB_PORT"])
        self.script = script
        self.once = once
        self.processes_each = processes_each
        self.supervisor = Supervisor([])
        self.ready = False
        self._next_look = 0.0
        self._only_one: state.Lock | None = None

    def run(self) -> int:
        """Run until Ctrl-C (or the end of the script); the exit status. Raises StateError."""
        self._refuse_second()
        self.prepare()
        if runtime.started:
            for part, process in runtime.started.parts():
                if process:
                    self.supervisor.adopt(part, process)
        self.supervisor.parts.extend(self._parts())
        return self.supervisor.run(every_turn=self._look)

    def _refuse_second(self) -> None:
        self._only_one = state.Lock(state.state_directory(), name="site")
        if not self._only_one.acquire(wait=0):
            raise state.StateError("the house is up already in another terminal (same STATE_DIR)")

    def prepare(self) -> None:
        """Everything before the children: imports, migrations, first login; leaves no connection and no thread."""
        roles.preload()
        if runtime.started:
            runtime.started.wait()
        if missing := runtime.migrate_if_needed():
            self.supervisor.say("site", f"{missing} migrations applied")
        self.address = first_login()
        from django.db import connections

        connections.close_all()
        gc.collect()
        gc.freeze()  # keeps the imported pages shared between parent and children

    def _parts(self) -> list[Part]:
        parts = [Part("web", self._forked(roles.web(self.host, self.port)), patience=8.0)]
        for name, queues in roles.LANES:
            run = roles.worker(name, queues, self.processes_each)
            parts.append(Part(name, self._forked(run), stage=1, patience=12.0))
        parts.append(Part("beat", self._forked(roles.beat)))
        parts.append(Part("ticker", self._forked(roles.ticker), patience=12.0))
        return parts

    def _forked(self, run: Callable[[], int | None]) -> Callable[[int], Child]:
        def launch(output: int) -> Child:
            return processes.Forked(run, output=output, leave=self._leave)

        return launch

    def _leave(self) -> None:
        """In a child: give up what belongs to the parent."""
        self.supervisor.leave()
        if runtime.started:
            runtime.started.lock.release()
            runtime.started = None
        if self._only_one:
            self._only_one.release()
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(line_buffering=True)

    def _look(self) -> None:
        """Between turns: ask for the first page until it comes, then say so and start the script."""
        if self.ready or time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + 0.1
        if not self._answers():
            return
        self.ready = True
        took = time.monotonic() - runtime.began
        for line in banner(self.address, took):
            self.supervisor.say("site", line)
        if self.script:
            run = partial(self.script, self.address)
            self.supervisor.start(Part("script", self._forked(run), essential=self.once, restart=False))

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


def first_login() -> Address:
    """The address, with a superuser made on the first start; its password is kept in the state directory."""
    from django.conf import settings
    from django.contrib.auth import get_user_model

    users = get_user_model()._default_manager
    password = ""
    if not users.filter(is_superuser=True).exists():
        password = state.kept_secret("admin-password")
        users.create_superuser(username=ADMIN, email="", password=password)  # type: ignore[attr-defined]
    elif (state.state_directory() / "admin-password").exists():
        password = state.kept_secret("admin-password")
    return Address(settings.PUBLIC_URL, ADMIN if password else "", password)


def banner(address: Address, took: float) -> list[str]:
    """What to tell when the first page answers."""
    from django.conf import settings

    lines = [f"ready after {took:.1f} s: {address.url}/admin/"]
    if address.login:
        kept = state.state_directory() / "admin-password"
        lines.append(f"log in as {address.login} with {address.password} (first password, kept in {kept})")
    if settings.SINK_DIR:
        lines.append(f"mails go to {settings.SINK_SMTP} and stay in {settings.SINK_DIR}")
    return [*lines, "Ctrl-C stops everything"]
