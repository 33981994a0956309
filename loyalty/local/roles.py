"""The processes of a site, as functions that a forked child runs: web, workers, beat, ticker."""

import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

ORPHAN_SECONDS = 10
LANES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("worker", ("triggers", "flows", "segments", "reports", "maintenance")),
    ("sender", ("send.email",)),
)

_HEAVY = (
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.concurrency.prefork",
    "celery.fixups.django",
    "celery.worker.consumer",
    "celery.worker.strategy",
    "gunicorn.app.base",
    "gunicorn.workers.gthread",
    "kombu.transport.redis",
    "loyalty.wsgi",
)


def preload() -> None:
    """Import all that the children need, once; forked children then start in milliseconds."""
    from django.conf import settings
    from django.urls import get_resolver

    Path(settings.STATIC_ROOT).mkdir(exist_ok=True)  # stays empty here; without it whitenoise complains at each start
    for module in _HEAVY:
        import_module(module)

    get_resolver().url_patterns  # noqa: B018 - reading it imports every view
    from loyalty.celery import app

    app.finalize(auto=True)


def web(host: str, port: int, *, workers: int = 2, threads: int = 8) -> Callable[[], int]:
    """gunicorn with threads."""

    def run() -> int:
        from gunicorn.app.base import BaseApplication

        from loyalty.wsgi import application

        class Site(BaseApplication):  # type: ignore[misc]
            def load_config(self) -> None:
                values: dict[str, Any] = {
                    "bind": f"{host}:{port}",
                    "workers": workers,
                    "threads": threads,
                    "worker_class": "gthread",
                    "keepalive": 30,
                    "timeout": 60,
                    "graceful_timeout": 5,
                    "loglevel": "warning",
                    "control_socket_disable": True,
                    "proc_name": "loyalty-web",
                }
                if os.path.isdir("/dev/shm"):  # noqa: S108
                    values["worker_tmp_dir"] = "/dev/shm"  # noqa: S108
                for name, value in values.items():
                    self.cfg.set(name, value)

            def load(self) -> Any:
                return application

        Site().run()
        return 0

    return run


def worker(name: str, queues: tuple[str, ...], processes: int) -> Callable[[], int]:
    """A Celery worker for these queues: prefork, one task at a time per process."""

    def run() -> int:
        from celery.signals import worker_ready

        from loyalty.celery import app

        if os.geteuid() == 0:
            # Knowingly: tasks are JSON with a chore's key, nothing is unpickled.
            os.environ["C_FORCE_ROOT"] = "1"
            warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
        running = app.Worker(
            hostname=f"{name}@localhost",
            pool="prefork",
            concurrency=processes,
            queues=list(queues),
            optimization="fair",
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            max_tasks_per_child=20_000,
            loglevel="WARNING",
            quiet=True,
        )
        worker_ready.connect(lambda **_: leave_with(os.getppid()), weak=False)
        running.start()
        return int(running.exitcode or 0)

    return run


def leave_with(parent: int) -> None:
    """End this process at the latest ORPHAN_SECONDS after its parent, from a thread of its own.

    After a SIGKILL of the supervisor a process was seen to live on for over 30 s. Which one and why is not known; a
    worker that waits for the broker, which ends at the same moment, is the likeliest.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        time.sleep(ORPHAN_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="orphan-watch", daemon=True).start()


def beat() -> int:
    """Celery beat with the chores' schedule."""
    from loyalty.celery import app

    app.Beat(loglevel="WARNING", quiet=True).run()
    return 0


def ticker() -> int:
    """The broker-free loop."""
    import signal

    from loyalty.local.ticker import Ticker

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    Ticker().loop(stop)
    return 0


def rename(title: str) -> None:
    """Show the role in process lists, as far as the kernel's 15 letters go."""
    try:
        with open("/proc/self/comm", "w") as file:
            file.write(title[:15])
    except OSError:
        sys.stderr.flush()
