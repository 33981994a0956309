"""Carries hints to the workers: "there is work for this chore". Losing one costs at most the chore's own interval.

A hint is sent once until a worker takes it: a marker in Redis (SET NX) stands for "one is under way" for all processes.
With the broker down the first request waits for at most `TIMEOUT` twice, then no one tries for `PAUSE` seconds.
"""

import logging
import os
import time
from contextlib import suppress
from functools import cache

import redis
from django.conf import settings

from loyalty.kit.chores import Chore
from loyalty.kit.logs import fields

logger = logging.getLogger(__name__)

TIMEOUT = 0.4
PAUSE = 5.0
MARKER_SECONDS = 5
_PREFIX = "hint:"

_quiet_until = 0.0


@cache
def _client(_pid: int) -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=None)


def send(item: Chore) -> None:
    """Publish the hint unless one for this chore is under way; never raises."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        if _client(os.getpid()).set(_PREFIX + item.key, 1, nx=True, ex=MARKER_SECONDS):
            _publish(item)
    except Exception as error:
        _quiet_until = time.monotonic() + PAUSE
        logger.warning("hint.lost", extra=fields(key=item.key, error=type(error).__name__, quiet_s=PAUSE))


def _publish(item: Chore) -> None:
    from loyalty.celery import app

    app.send_task("chore", kwargs={"key": item.key}, queue=item.queue, expires=60, retry=False, ignore_result=True)


def taken(key: str) -> None:
    """A worker has begun: later work deserves a new hint. Called before the chore looks, so nothing is missed."""
    if time.monotonic() < _quiet_until:
        return
    with suppress(redis.RedisError):  # the marker ends by itself
        _client(os.getpid()).delete(_PREFIX + key)
