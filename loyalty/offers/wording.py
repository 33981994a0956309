"""Vouchers and offers in words: what they give, when, and why one is refused."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.text import get_text_list
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from loyalty.offers.definition import (
    Amount,
    Bonus,
    BuyGet,
    FreeShipping,
    GiftCard,
    Multiplier,
    NextOrder,
    Percent,
    Product,
    Usable,
)
from loyalty.program.definition import ProgramDocument
from loyalty.program.terms import Terms
from loyalty.program.wording import lines as lines_in_words
from loyalty.program.wording import number, when

# Why something is not used, by code; the codes are stable, for programs.
REASONS: dict[str, str | Promise] = {
    "unknown": _("There is no such code."),
    "unknown_offer": _("There is no such offer."),
    "not_issued": _("This code has not been given out yet."),
    "void": _("This code was withdrawn."),
    "paused": _("This cannot be used at the moment."),
    "used": _("This code has been used."),
    "held": _("This code is held by another checkout."),
    "empty": _("Nothing is left on this gift card."),
    "early": _("This can be used from %(day)s."),
    "late": _("This could be used until %(day)s."),
    "weekday": _("This can be used on other days of the week."),
    "hours": _("This can be used between %(from)s and %(to)s."),
    "unknown_customer": _("This can be used only by customers we know; tell who it is."),
    "not_yours": _("This was issued to somebody else."),
    "tier": _("This is for members with tier %(tiers)s."),
    "segment": _("This is for other customers."),
    "not_given": _("This is for those it was given to."),
    "inactive": _("Activate this offer first."),
    "store": _("This can be used in other stores: %(stores)s."),
    "channel": _("This can be used by %(channels)s."),
    "currency": _("This is for purchases in %(currency)s."),
    "lines": _("Nothing in the basket is meant by this."),
    "pieces": _("%(missing)s more pieces are needed."),
    "minimum": _("%(missing)s more are needed to reach %(minimum)s."),
    "person": _("This was used as often as one person may: %(most)s."),
    "total": _("This was used as often as it can be."),
    "budget": _("The budget for this is spent."),
    "margin": _("The price of what is in the basket cannot be lowered any further."),
    "exclusive": _("This does not go together with “%(by)s”, which saves more."),
    "alone": _("This and “%(by)s” do not go together."),
    "nothing": _("This would change nothing here."),
    "twice": _("This code stands here twice."),
}


@lru_cache(maxsize=64)
def plain_terms(currency: str) -> Terms:
    """Keys as they are, money in this currency: a till waits for these sentences, so no names are looked up."""
    return Terms(ProgramDocument(key="offers", currency=currency))


def refusal(reason: str, facts: Mapping[str, Any]) -> str:
    """Why something is refused, a whole sentence in the active language."""
    said = {name: _told(name, value) for name, value in facts.items()}
    return str(REASONS[reason]) % said


def _told(name: str, value: Any) -> str:
    if isinstance(value, list):
        return get_text_list([str(one) for one in value], gettext("or"))
    if name == "day":
        return date_format(date.fromisoformat(value), "DATE_FORMAT")
    if name in ("minimum", "missing", "most"):
        return price(value)
    return str(value)


def benefit(document: Usable) -> str:
    """What it gives, without a full stop."""
    given = document.benefit
    core = _core(given, document.currency)
    if isinstance(given, Percent | Amount | Product | BuyGet | Multiplier):
        whose = given if given.only or given.without else document.when
        core += lines_in_words(whose.only, whose.without, plain_terms(document.currency))
    most = getattr(given, "max", None)
    if most is not None:
        is_points = isinstance(given, Multiplier)
        told = number(most) if is_points else money(most, document.currency)
        core += " " + gettext("(at most %(most)s)") % {"most": told}
    return core


def _core(given: Any, currency: str) -> str:
    match given:
        case Percent():
            return gettext("%(n)s %% off") % {"n": number(given.percent)}
        case Amount():
            return gettext("%(money)s off") % {"money": money(given.amount, currency)}
        case Product():
            return gettext("%(n)s for free") % {"n": given.quantity}
        case BuyGet():
            said = (
                gettext("Buy %(buy)s, get %(get)s for free")
                if given.percent == 100
                else gettext("Buy %(buy)s, get %(get)s for %(percent)s %% less")
            )
            values = {"buy": given.buy, "get": given.get, "percent": number(given.percent)}
            return said % values
        case FreeShipping():
            return gettext("Free shipping")
        case GiftCard():
            return gettext("Gift card of %(money)s") % {"money": money(given.amount, currency)}
        case NextOrder():
            return gettext("A voucher “%(pool)s” for the next purchase") % {"pool": given.pool}
        case Multiplier():
            return gettext("%(n)s times the points") % {"n": number(given.times)}
        case Bonus():
            return gettext("%(n)s extra points") % {"n": number(given.points)}
    raise TypeError(given)


def price(value: Any) -> str:
    """An amount, with cents where it has some."""
    exact = Decimal(str(value))
    whole = exact == exact.to_integral_value()
    return str(number_format(exact.quantize(Decimal(1)) if whole else exact, 0 if whole else 2, force_grouping=True))


def money(value: Any, currency: str) -> str:
    """An amount with its currency."""
    return f"{price(value)} {currency}"


def sentence(document: Usable, tiers: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """All of it: what it gives, when, and its limits; with the names of `tiers` where people read it."""
    terms = Terms(ProgramDocument(key="offers", currency=document.currency), tiers) if tiers else None
    said = ", ".join([benefit(document), *when(document.when, terms or plain_terms(document.currency))])
    limits = []
    if document.limits.person:
        most = document.limits.person
        limits.append(ngettext("once per person", "%(n)s times per person", most) % {"n": most})
    if document.limits.total:
        most = document.limits.total
        limits.append(ngettext("once in all", "%(n)s times in all", most) % {"n": number(most)})
    if document.limits.budget:
        limits.append(gettext("%(money)s in all") % {"money": money(document.limits.budget, document.currency)})
    if document.margin_floor is not None:
        limits.append(gettext("not on articles whose price cannot be lowered further"))
    if document.stack.alone:
        limits.append(gettext("not together with others"))
    return said + (f" ({'; '.join(limits)})" if limits else "") + "."
