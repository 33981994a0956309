"""Conditions on the properties of one event: `{amount: {gte: 50}, category: shoes, size: [40, 41]}`, all of which
must hold.
"""

from datetime import datetime
from typing import Any

from django.conf import settings
from pydantic import ValidationError

from campaigns.segments.comparisons import NAMES, Comparisons, from_shorthand
from campaigns.segments.values import Clock, all_hold, clocked, json_value
from loyalty.kit.problems import Problem, Problems, from_pydantic, with_suggestion
from loyalty.kit.sql import Sql, sql

MAX_CONDITIONS = 20
MAX_KEY = 200


def where(conditions: dict[str, Any], properties: Sql, *, now: datetime | None = None) -> Sql:
    """Boolean SQL (never NULL) over a jsonb expression, which may be NULL; raises Problems for conditions `check`
    refuses.

    Without `now`, `within` and `anniversary_within` are refused.
    """
    parsed, problems = read(conditions, "where", relative=now is not None)
    if problems:
        raise Problems(problems)
    return compiled(parsed, properties, Clock(now, settings.TIME_ZONE))


def compiled(conditions: dict[str, Comparisons], properties: Sql, clock: Clock) -> Sql:
    """The same of conditions that were read already."""
    pieces = [
        all_hold(json_value(properties, key, clock.zone), comparisons.said(), clock)
        for key, comparisons in conditions.items()
    ]
    return sql("(({all}) IS TRUE)", all=Sql(" AND ").join(pieces)) if pieces else Sql("TRUE")


def check(conditions: object, where: str, *, relative: bool = False) -> list[Problem]:
    """Every mistake in the conditions, places beginning with `where`; `relative` allows windows that move with the
    clock.
    """
    return read(conditions, where, relative=relative)[1]


def read(conditions: object, where: str, *, relative: bool = True) -> tuple[dict[str, Comparisons], list[Problem]]:
    """The conditions, typed, and every mistake in them."""
    if not isinstance(conditions, dict):
        return {}, [Problem(where, "must be a mapping of property to condition", "for example {amount: {gte: 50}}")]
    problems: list[Problem] = []
    if len(conditions) > MAX_CONDITIONS:
        problems.append(Problem(where, f"has more than {MAX_CONDITIONS} conditions"))
    parsed: dict[str, Comparisons] = {}
    for key, condition in list(conditions.items())[:MAX_CONDITIONS]:
        place = f"{where}.{key}"[:300]
        if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY or "\0" in key:
            problems.append(Problem(where, f"a property name is a text of 1 to {MAX_KEY} characters"))
            continue
        try:
            parsed[key] = Comparisons.model_validate(from_shorthand(condition))
        except ValidationError as error:
            problems += [with_suggestion(problem.within(place), NAMES) for problem in from_pydantic(error)]
            continue
        if not relative:
            problems += [
                Problem(f"{place}.{name}", f"{name} is not possible here", "compare with a fixed date: before, after")
                for name in clocked(parsed[key].said())
            ]
    return parsed, problems
