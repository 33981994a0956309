"""Rules in words, for people who check what a program does."""

from decimal import Decimal
from typing import Any

from django.utils.formats import date_format, number_format, time_format
from django.utils.text import get_text_list
from django.utils.translation import gettext

from loyalty.program.definition import Lines, RuleDocument, When


def number(value: Any) -> str:
    """A number as people write it here."""
    exact = Decimal(str(value)).normalize()
    return number_format(exact.quantize(Decimal(1)) if exact == exact.to_integral_value() else exact)


def form(value: Any) -> int:
    """What `ngettext` chooses by: only one is one, fractions are many."""
    return 1 if Decimal(str(value)) == 1 else 2


def lines(only: Lines, without: Lines) -> str:
    """` on brand Acme, except category books`, or nothing."""
    said = ""
    if only:
        said += gettext(" on %(what)s") % {"what": _named(only)}
    if without:
        said += gettext(", except %(what)s") % {"what": _named(without)}
    return said


def _named(one: Lines) -> str:
    names = {
        "sku": gettext("article"),
        "category": gettext("category"),
        "brand": gettext("brand"),
        "label": gettext("label"),
    }
    said = [
        f"{names[key]} {get_text_list(values, gettext('or'))}"
        for key, values in (("sku", one.sku), ("category", one.category), ("brand", one.brand), ("label", one.label))
        if values
    ]
    return get_text_list(said, gettext("and"))


def when(one: When) -> list[str]:
    """The conditions, each in words."""
    said = []
    if one.start:
        said.append(gettext("from %(day)s") % {"day": date_format(one.start, "DATE_FORMAT")})
    if one.end:
        said.append(gettext("until %(day)s") % {"day": date_format(one.end, "DATE_FORMAT")})
    if one.weekdays:
        names = {
            "mon": gettext("Mondays"), "tue": gettext("Tuesdays"), "wed": gettext("Wednesdays"),
            "thu": gettext("Thursdays"), "fri": gettext("Fridays"), "sat": gettext("Saturdays"),
            "sun": gettext("Sundays"),
        }  # fmt: skip
        days = get_text_list([names[day] for day in one.weekdays], gettext("and"))
        said.append(gettext("on %(days)s") % {"days": days})
    if one.hours:
        first, last = (time_format(at, "H:i") for at in one.hours)
        said.append(gettext("between %(first)s and %(last)s") % {"first": first, "last": last})
    if one.stores:
        said.append(gettext("in store %(stores)s") % {"stores": get_text_list(one.stores, gettext("or"))})
    if one.channels:
        said.append(gettext("by %(channels)s") % {"channels": get_text_list(one.channels, gettext("or"))})
    if one.tiers:
        said.append(gettext("for members with tier %(tiers)s") % {"tiers": get_text_list(one.tiers, gettext("or"))})
    if one.minimum is not None:
        said.append(gettext("from an amount of %(amount)s") % {"amount": number(one.minimum)})
    return said


def rule(document: RuleDocument, core: str) -> str:
    """The whole rule: what it gives (`core`), when, and its limits."""
    sentence = ", ".join([core, *when(document.when)])
    limits = []
    caps, budget = document.caps, document.budget
    if caps.receipt:
        limits.append(gettext("at most %(n)s points per receipt") % {"n": number(caps.receipt)})
    if caps.day:
        limits.append(gettext("at most %(n)s points per person and day") % {"n": number(caps.day)})
    if caps.person:
        limits.append(gettext("at most %(n)s points per person") % {"n": number(caps.person)})
    if caps.times:
        limits.append(_times(caps.times.max, caps.times.per))
    if budget.points:
        limits.append(gettext("%(n)s points in all") % {"n": number(budget.points)})
    if budget.money:
        limits.append(gettext("points worth %(n)s in all") % {"n": number(budget.money)})
    if document.stop:
        limits.append(gettext("later rules do not apply"))
    return sentence + (f" ({'; '.join(limits)})" if limits else "") + "."


def _times(most: int, per: str) -> str:
    return {
        "day": gettext("at most %(n)s times per person and day"),
        "week": gettext("at most %(n)s times per person and week"),
        "month": gettext("at most %(n)s times per person and month"),
        "year": gettext("at most %(n)s times per person and year"),
        "ever": gettext("at most %(n)s times per person"),
    }[per] % {"n": most}
