"""Rules in words, for people who check what a program does."""

from decimal import Decimal
from typing import Any

from django.utils.formats import date_format, number_format, time_format
from django.utils.text import get_text_list
from django.utils.translation import gettext, npgettext

from loyalty.kit.periods import Period
from loyalty.program.conditions import Conditions
from loyalty.program.definition import Pending
from loyalty.program.rule_definition import Lines, MarginFloor, RuleDocument, When
from loyalty.program.terms import PLAIN, Terms


def number(value: Any) -> str:
    """A number as people write it here."""
    exact = Decimal(str(value)).normalize()
    whole = exact == exact.to_integral_value()
    return number_format(exact.quantize(Decimal(1)) if whole else exact, force_grouping=True)


def form(value: Any) -> int:
    """What `ngettext` chooses by: only one is one, fractions are many."""
    return 1 if Decimal(str(value)) == 1 else 2


def length(text: str) -> str:
    """An elapsed time as people say it after `within` or `after`."""
    seconds = Period.parse(text).seconds or 0
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds and seconds % size == 0:
            n = seconds // size
            return {
                "day": npgettext("within", "%(n)s day", "%(n)s days", n),
                "hour": npgettext("within", "%(n)s hour", "%(n)s hours", n),
                "minute": npgettext("within", "%(n)s minute", "%(n)s minutes", n),
            }[unit] % {"n": number(n)}
    return npgettext("within", "%(n)s second", "%(n)s seconds", seconds) % {"n": number(seconds)}


def conditions(asked: Conditions, terms: Terms) -> str:
    """What the properties of an event must be: ` with stars at least 4 and kind a or b`, or nothing."""
    said = []
    for key, one in asked.items():
        for name, operand in one.items():
            values = [_value(item) for item in (operand if isinstance(operand, list) else [operand])]
            said.append(
                {
                    "gt": gettext("%(what)s above %(value)s"),
                    "gte": gettext("%(what)s at least %(value)s"),
                    "lt": gettext("%(what)s below %(value)s"),
                    "lte": gettext("%(what)s at most %(value)s"),
                    "ne": gettext("%(what)s other than %(value)s"),
                    "not_in": gettext("%(what)s other than %(value)s"),
                }.get(name, gettext("%(what)s %(value)s"))
                % {"what": terms.name("property", key), "value": get_text_list(values, gettext("or"))}
            )
    return gettext(" with %(what)s") % {"what": get_text_list(said, gettext("and"))} if said else ""


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    # Ungrouped: it may be a year.
    return number_format(value) if isinstance(value, int | float) else str(value)


def lines(only: Lines, without: Lines, terms: Terms = PLAIN) -> str:
    """` on brand Acme, except category books`, or nothing."""
    said = ""
    if only:
        said += gettext(" on %(what)s") % {"what": _named(only, terms)}
    if without:
        said += gettext(", except %(what)s") % {"what": _named(without, terms)}
    return said


def _named(one: Lines, terms: Terms) -> str:
    names = {
        "sku": gettext("article"),
        "category": gettext("category"),
        "brand": gettext("brand"),
        "label": gettext("label"),
    }
    said = [
        f"{names[key]} {get_text_list(terms.names(key, values), gettext('or'))}"
        for key, values in (("sku", one.sku), ("category", one.category), ("brand", one.brand), ("label", one.label))
        if values
    ]
    return get_text_list(said, gettext("and"))


def when(one: When, terms: Terms = PLAIN) -> list[str]:
    """The conditions, each in words."""

    def either(kind: str, keys: list[str]) -> str:
        return get_text_list(terms.names(kind, keys), gettext("or"))

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
        said.append(gettext("in store %(stores)s") % {"stores": either("store", one.stores)})
    if one.channels:
        said.append(gettext("by %(channels)s") % {"channels": either("channel", one.channels)})
    if one.tiers:
        said.append(gettext("for members with tier %(tiers)s") % {"tiers": either("tier", one.tiers)})
    if one.minimum is not None:
        said.append(gettext("from an amount of %(amount)s") % {"amount": terms.money(one.minimum)})
    return said


def rule(document: RuleDocument, core: str, terms: Terms) -> str:
    """The whole rule: what it gives (`core`), when, and its limits."""
    sentence = ", ".join([core, *when(document.when, terms)])
    limits = []
    if wallet := terms.wallet(document.wallet):
        limits.append(gettext("counted as %(wallet)s") % {"wallet": wallet})
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
        limits.append(gettext("points worth %(n)s in all") % {"n": terms.money(budget.money)})
    if document.margin_floor:
        limits.append(_floor(document.margin_floor, terms))
    if document.pending is not None and document.pending.seconds:
        limits.append(waiting(document.pending))
    if document.stop:
        limits.append(gettext("later rules do not apply"))
    return sentence + (f" ({'; '.join(limits)})" if limits else "") + "."


def waiting(pending: Pending) -> str:
    """When points can be used that are pending: after a time, or after an event."""
    said = {"event": pending.event, "time": length(pending.within)}
    if pending.event is None:
        return gettext("usable after %(time)s") % said
    if pending.lapses:
        return gettext("usable after the event “%(event)s”; without it they are taken back after %(time)s") % said
    return gettext("usable after the event “%(event)s”, at the latest after %(time)s") % said


def _floor(floor: MarginFloor, terms: Terms) -> str:
    if floor.percent is not None:
        left = gettext("%(percent)s %% of its price") % {"percent": number(floor.percent)}
    else:
        left = gettext("%(amount)s a piece") % {"amount": terms.money(floor.amount)}
    if floor.otherwise == "none":
        return gettext("none for items whose margin would fall below %(left)s") % {"left": left}
    return gettext("fewer for items whose margin would fall below %(left)s") % {"left": left}


def _times(most: int, per: str) -> str:
    return {
        "day": gettext("at most %(n)s times per person and day"),
        "week": gettext("at most %(n)s times per person and week"),
        "month": gettext("at most %(n)s times per person and month"),
        "year": gettext("at most %(n)s times per person and year"),
        "ever": gettext("at most %(n)s times per person"),
    }[per] % {"n": most}
