"""Comparisons in words, for the sentences that marketers read."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from django.utils.text import get_text_list
from django.utils.translation import gettext, ngettext

from campaigns.segments.comparisons import Comparisons
from loyalty.kit.periods import Period

MOST_SHOWN = 5


def phrase(comparisons: Iterable[tuple[str, Any]]) -> str:
    """`is at least 18 and is below 30`: what follows the name of a value."""
    return get_text_list([_one(name, operand) for name, operand in comparisons], gettext("and"))


def conditions(where: dict[str, Comparisons]) -> str:
    """`where amount is at least 50 and category is shoes`, or nothing."""
    if not where:
        return ""
    parts = [f"{key} {phrase(comparisons.said())}" for key, comparisons in where.items()]
    return gettext("where %(conditions)s") % {"conditions": get_text_list(parts, gettext("and"))}


def length(period: Period) -> str:
    """A period spelled out: `7 days`."""
    number, unit = _units(period)
    return {
        "month": ngettext("%(n)d month", "%(n)d months", number),
        "calendar day": ngettext("%(n)d calendar day", "%(n)d calendar days", number),
        "day": ngettext("%(n)d day", "%(n)d days", number),
        "hour": ngettext("%(n)d hour", "%(n)d hours", number),
        "minute": ngettext("%(n)d minute", "%(n)d minutes", number),
        "second": ngettext("%(n)d second", "%(n)d seconds", number),
    }[unit] % {"n": number}


def in_the_last(period: Period) -> str:
    """A window that ends now: `in the last 7 days`, `in the last month`."""
    number, unit = _units(period)
    return {
        "month": ngettext("in the last month", "in the last %(n)d months", number),
        "calendar day": ngettext("in the last calendar day", "in the last %(n)d calendar days", number),
        "day": ngettext("in the last day", "in the last %(n)d days", number),
        "hour": ngettext("in the last hour", "in the last %(n)d hours", number),
        "minute": ngettext("in the last minute", "in the last %(n)d minutes", number),
        "second": ngettext("in the last second", "in the last %(n)d seconds", number),
    }[unit] % {"n": number}


def either(keys: Sequence[str]) -> str:
    """`shoes, hats or bags`; long lists are cut."""
    first = list(keys[:MOST_SHOWN])
    more = len(keys) - MOST_SHOWN
    if more > 0:
        first.append(ngettext("%(n)d more", "%(n)d more", more) % {"n": more})
    return get_text_list(first, gettext("or"))


def _units(period: Period) -> tuple[int, str]:
    if period.months:
        return period.months, "month"
    if period.seconds is None:
        return period.days, "calendar day"
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if period.seconds % size == 0:
            return period.seconds // size, unit
    return period.seconds, "second"


def shown(operand: Any) -> str:
    """An operand as people read it; long lists are cut."""
    if isinstance(operand, bool):
        return gettext("yes") if operand else gettext("no")
    if isinstance(operand, Decimal):
        return format(operand, "f")
    if isinstance(operand, Period):
        return length(operand)
    if isinstance(operand, tuple):
        first = [shown(item) for item in operand[:MOST_SHOWN]]
        more = len(operand) - MOST_SHOWN
        if more > 0:
            first.append(ngettext("%(n)d more", "%(n)d more", more) % {"n": more})
        return ", ".join(first)
    return str(operand)


def times(comparisons: Iterable[tuple[str, Any]]) -> str:
    """How often something happened: `at least 3 times and fewer than 10 times`."""
    return get_text_list([_counted(*said, _TIMES) for said in comparisons], gettext("and"))


def days(comparisons: Iterable[tuple[str, Any]]) -> str:
    """On how many days something happened: `at least 3 different days`."""
    return get_text_list([_counted(*said, _DAYS) for said in comparisons], gettext("and"))


Counted = dict[str, Callable[[int], str]]
_TIMES: Counted = {
    "eq": lambda n: ngettext("exactly %(value)s time", "exactly %(value)s times", n),
    "ne": lambda n: ngettext("not exactly %(value)s time", "not exactly %(value)s times", n),
    "gt": lambda n: ngettext("more than %(value)s time", "more than %(value)s times", n),
    "gte": lambda n: ngettext("at least %(value)s time", "at least %(value)s times", n),
    "lt": lambda n: ngettext("fewer than %(value)s time", "fewer than %(value)s times", n),
    "lte": lambda n: ngettext("at most %(value)s time", "at most %(value)s times", n),
    "in": lambda n: gettext("exactly %(value)s times"),
    "not_in": lambda n: gettext("not exactly %(value)s times"),
}
_DAYS: Counted = {
    "eq": lambda n: ngettext("exactly %(value)s day", "exactly %(value)s different days", n),
    "ne": lambda n: ngettext("not exactly %(value)s day", "not exactly %(value)s different days", n),
    "gt": lambda n: ngettext("more than %(value)s day", "more than %(value)s different days", n),
    "gte": lambda n: ngettext("at least %(value)s day", "at least %(value)s different days", n),
    "lt": lambda n: ngettext("fewer than %(value)s day", "fewer than %(value)s different days", n),
    "lte": lambda n: ngettext("at most %(value)s day", "at most %(value)s different days", n),
    "in": lambda n: gettext("exactly %(value)s different days"),
    "not_in": lambda n: gettext("not exactly %(value)s different days"),
}


def _counted(name: str, operand: Any, phrases: Counted) -> str:
    if isinstance(operand, tuple):
        return phrases[name](len(operand)) % {"value": either([shown(item) for item in operand])}
    number = Decimal(operand)
    # Only one is one: the plural of a fraction or of a huge number is that of many.
    return phrases[name](1 if number == 1 else 2) % {"value": shown(number)}


def _one(name: str, operand: Any) -> str:
    if name == "is_set":
        return gettext("is known") if operand else gettext("is not known")
    if name == "within":
        return gettext("lies %(window)s") % {"window": in_the_last(operand)}
    return _phrases()[name] % {"value": shown(operand)}


def _phrases() -> dict[str, str]:
    return {
        "eq": gettext("is %(value)s"),
        "ne": gettext("is not %(value)s"),
        "gt": gettext("is more than %(value)s"),
        "gte": gettext("is at least %(value)s"),
        "lt": gettext("is less than %(value)s"),
        "lte": gettext("is at most %(value)s"),
        "in": gettext("is one of %(value)s"),
        "not_in": gettext("is none of %(value)s"),
        "contains": gettext("contains %(value)s"),
        "starts_with": gettext("begins with %(value)s"),
        "ends_with": gettext("ends with %(value)s"),
        "matches": gettext("matches the pattern %(value)s"),
        "before": gettext("is before %(value)s"),
        "after": gettext("is after %(value)s"),
        "anniversary_within": gettext("has its anniversary in the next %(value)s"),
    }
