"""Checks of the data's quality: each package says which customers something is wrong with; the board counts them.

A package's `quality.py` (loaded at start) registers functions with `@quality_check`:

    @quality_check("consent.unreachable", order=40, title=_("Unreachable"), meaning=_("..."), remedy=_("..."))
    def unreachable(now: datetime) -> Sql:
        return sql("SELECT id AS customer_id FROM customer WHERE ...")
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.kit.sql import Sql

People = Callable[[datetime], Sql]


@dataclass(frozen=True, slots=True)
class QualityCheck:
    """`people(now)` selects the column `customer_id` of everybody concerned, each once.

    `title`, `meaning` and `remedy` are lazy texts; `meaning` says what the number counts, `remedy` what to do. A
    `grouped` check also selects the text `same`, which those who belong together share.
    """

    key: str
    order: int
    title: Any
    meaning: Any
    remedy: Any
    people: People
    grouped: bool = False


_checks: dict[str, QualityCheck] = {}


def quality_check(
    key: str, *, order: int, title: Any, meaning: Any, remedy: Any, grouped: bool = False
) -> Callable[[People], People]:
    """Decorator: count the people whom the function selects once a day; raises ValueError for a double key."""

    def decorate(people: People) -> People:
        if key in _checks:
            raise ValueError(f"quality check {key!r} is registered twice")
        _checks[key] = QualityCheck(key, order, title, meaning, remedy, people, grouped)
        return people

    return decorate


def quality_checks() -> list[QualityCheck]:
    """All checks, lower orders first."""
    return sorted(_checks.values(), key=lambda item: (item.order, item.key))
