"""Celery wiring. Redis carries hints only: every task is an idempotent tick that looks into PostgreSQL."""

import os
import signal
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init
from kombu import Exchange, Queue

from loyalty.local.processes import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty.settings")

app = Celery("loyalty")
app.config_from_object("django.conf:settings", namespace="CELERY")
# A broker may be away for longer than the default of 100 attempts.
app.conf.broker_connection_max_retries = None
# Says the same for early acknowledged tasks as the default, without its warning at every loss of the broker.
app.conf.worker_cancel_long_running_tasks_on_connection_loss = True
app.conf.beat_scheduler = "loyalty.local.beat:ChoreScheduler"


@app.task(name="chore", ignore_result=True)
def chore(*, key: str, **extras: Any) -> int:
    """Run one chore (`loyalty.kit.chores`)."""
    from loyalty.local.tasks import run_by_key

    return run_by_key(key=key, **extras)


@app.on_after_finalize.connect
def declare_queues(sender: Celery, **_extras: Any) -> None:
    """All queues of the house, so that a worker started without -Q serves everything."""
    from loyalty.kit.chores import QUEUES

    # An exchange each: queues that share the default one would all get every message.
    sender.conf.task_queues = [Queue(name, Exchange(name), routing_key=name) for name in QUEUES]


@setup_logging.connect
def keep_django_logging(**_extras: Any) -> None:
    """Django has set logging up; Celery leaves it alone."""


@worker_process_init.connect
def end_with_worker(**_extras: Any) -> None:
    """A killed worker takes its processes with it; otherwise they would go on claiming work unseen."""
    die_with_parent(signal.SIGTERM)
