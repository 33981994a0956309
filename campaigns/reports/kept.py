"""Figures that took long to work out are kept for some minutes, so that the next page opens at once.

What is quick is worked out anew each time; in a house of ordinary size nothing is ever kept. Without the cache's server
everything is worked out.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Generic, TypeVar

from django.core.cache import cache
from django.db import connection
from redis import RedisError

from loyalty.kit.clock import now

logger = logging.getLogger(__name__)
SLOW_SECONDS = 0.25
KEEP_SECONDS = 600
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """A value; `at` is when it was worked out, None for just now."""

    value: T
    at: datetime | None


def kept(name: str, compute: Callable[[], T], *about: object) -> Kept[T]:
    """What `compute` answers, or what it answered a while ago. `about` is all that the answer depends on."""
    key = _key(name, about)
    try:
        found = cache.get(key)
    except RedisError:
        found = None
    if found is not None:
        return Kept(*found)
    began, at = perf_counter(), now()
    value = compute()
    if perf_counter() - began > SLOW_SECONDS:
        try:
            cache.set(key, (value, at), KEEP_SECONDS)
        except RedisError:
            logger.warning("reports.kept.nothing")
    return Kept(value, None)


def _key(name: str, about: tuple[object, ...]) -> str:
    text = repr((connection.settings_dict["NAME"], about))
    return f"kept:{name}:{hashlib.sha256(text.encode()).hexdigest()[:32]}"
