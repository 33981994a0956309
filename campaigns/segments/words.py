"""Comparisons in words, for the sentences that marketers read."""

from collections.abc import Iterable
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
    if period.months:
        return ngettext("%(n)d month", "%(n)d months", period.months) % {"n": period.months}
    if period.seconds is None:
        return ngettext("%(n)d calendar day", "%(n)d calendar days", period.days) % {"n": period.days}
    seconds = period.seconds
    if seconds % 86_400 == 0:
        return ngettext("%(n)d day", "%(n)d days", seconds // 86_400) % {"n": seconds // 86_400}
    if seconds % 3600 == 0:
        return ngettext("%(n)d hour", "%(n)d hours", seconds // 3600) % {"n": seconds // 3600}
    if seconds % 60 == 0:
        return ngettext("%(n)d minute", "%(n)d minutes", seconds // 60) % {"n": seconds // 60}
    return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}


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


def _one(name: str, operand: Any) -> str:
    if name == "is_set":
        return gettext("is known") if operand else gettext("is not known")
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
        "within": gettext("lies in the last %(value)s"),
        "anniversary_within": gettext("has its anniversary in the next %(value)s"),
    }
