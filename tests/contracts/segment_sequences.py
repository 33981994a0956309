"""Rules about the order of events, and the operator in plain Python: every way through the events is tried."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from loyalty.kit.periods import Period
from tests.contracts.segment_people import NAMES, NOW, ZONE, Person

# Whether an event's properties fulfil the conditions of a step.
Holds = Callable[[Any, dict[str, Any]], bool]
ELAPSED = ["90s", "15m", "1h", "24h", "25h", "7d", "90d", "2w"]


@lru_cache
def elapsed(text: str) -> timedelta:
    return timedelta(seconds=Period.parse(text).seconds)


def happened(
    one: Person, step: dict[str, Any], after: datetime | None, until: datetime, holds: Holds
) -> list[datetime]:
    """When events of the step happened in `(after, until]`."""
    return [
        at
        for at, _, name, properties in one.events
        if name == step.get("event", step.get("not"))
        and (after is None or at > after)
        and at <= min(until, NOW)
        and holds(properties, step.get("where", {}))
    ]


def goes_on(one: Person, steps: list[Any], before: datetime, pending: list[tuple[Any, datetime]], holds: Holds) -> bool:
    if not steps:
        return not any(happened(one, step, since, NOW, holds) for step, since in pending)
    step, rest = steps[0], steps[1:]
    if "not" in step and "for" not in step:
        return goes_on(one, rest, before, [*pending, (step, before)], holds)
    if "not" in step:
        over = before + elapsed(step["for"])
        return over <= NOW and not happened(one, step, before, over, holds) and goes_on(one, rest, over, pending, holds)
    until = before + elapsed(step["within"]) if "within" in step else NOW
    return any(
        goes_on(one, rest, at, [], holds)
        for at in happened(one, step, before, until, holds)
        if not any(happened(one, missed, since, at, holds) for missed, since in pending)
    )


def twin(one: Person, rule: dict[str, Any], holds: Holds) -> bool:
    first, *rest = rule["sequence"]
    window = rule.get("within", first.get("within"))
    opening = None if window is None else Period.parse(window).subtract_from(NOW, ZONE)
    return any(goes_on(one, rest, at, [], holds) for at in happened(one, first, opening, NOW, holds))


names = st.sampled_from(NAMES[:2] * 4 + NAMES[2:])
windows = st.sampled_from(ELAPSED)
wheres = st.sampled_from([{"amount": {"gte": 5}}, {"category": {"ne": "gold"}}, {"amount": {"is_set": True}}])
events = st.fixed_dictionaries({"event": names}, optional={"within": windows, "where": wheres})
absences = st.fixed_dictionaries({"not": names}, optional={"for": windows, "where": wheres})
leaves = st.builds(
    lambda first, rest, within: {
        "sequence": [{k: v for k, v in first.items() if k != "within" or within is None}, *rest],
        **({} if within is None else {"within": within}),
    },
    events,
    st.lists(st.one_of(events, absences), max_size=3),
    st.one_of(st.none(), st.sampled_from(["7d", "90d", "1 month", "3 calendar days"])),
)
