"""Movements of points, the way to the next tier and the rules, in words for members."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.portal.queries import Movement
from loyalty.portal.texts import day, localized, number
from loyalty.program import sentences
from loyalty.program.models import Tier
from loyalty.program.setup import Setup


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the history: `sign` is "plus" or "minus", for more than color."""

    title: str
    detail: str
    when: str
    points: str
    sign: str
    unit: str


def line(one: Movement, setup: Setup) -> Line:
    """A movement as its member reads it."""
    titles = {
        "purchase": _("Purchase"),
        "return": _("Return"),
        "void": _("Purchase undone"),
        "event": _("Activity"),
        "occasion": _("Present"),
        "expire": _("Expired"),
        "spend": _("Redeemed"),
        "capture": _("Redeemed"),
        "transfer": _("Received from a member") if one.points > 0 else _("Given to a member"),
        "adjust": _("Correction"),
        "import": _("Taken over"),
        "settle": _("Settled"),
        "forfeit": _("Expired"),
    }
    rules = [localized(rule, "") for rule in one.rules]
    details = [
        _place(one.store),
        _money(one.amount, one.currency) if one.kind in ("purchase", "return", "void") else "",
    ]
    if one.kind in ("event", "occasion"):
        details += rules
    if one.reward:
        details.append(localized(one.reward, ""))
    elif one.kind in ("adjust", "spend", "occasion"):
        details.append(_reason(one.reason or ""))
    if one.waiting and one.points > 0:
        details.append(_("waiting to be released"))
    return Line(
        titles.get(one.kind, _("Change")),
        " · ".join(dict.fromkeys(text for text in details if text)),
        day(one.at),
        f"{'+' if one.points > 0 else '−'}{number(abs(one.points))}",
        "plus" if one.points > 0 else "minus",
        unit(setup, one.wallet),
    )


def _reason(reason: str) -> str:
    """What people wrote, as they wrote it; what the system noted for itself in words, or not at all."""
    known = {"prize": _("Prize"), "offer": _("Offer"), "Membership": _("Membership")}
    return "" if reason.startswith(("reward ", "checkout ", "flow ")) else known.get(reason, reason)


def _place(store: Any) -> str:
    """The name of a store; of one that nobody described what the till calls it."""
    return localized(store, "") if isinstance(store, dict) else store or ""


def _money(amount: Decimal | str | float | None, currency: str | None) -> str:
    if amount is None:
        return ""
    return f"{number_format(abs(Decimal(str(amount))), 2)} {currency or ''}".strip()


def unit(setup: Setup, wallet: str) -> str:
    """What the points of a wallet are called."""
    found = setup.document.wallet(wallet)
    return localized(found.name, "") if found and found.name else _("points")


def to_go(points: int, wallet: str, setup: Setup) -> str:
    """What is still missing."""
    return _("%(n)s %(unit)s to go") % {"n": number(points), "unit": unit(setup, wallet)}


def worth(points: int, wallet: str, setup: Setup) -> str:
    """What points are worth in money; nothing where the program does not say."""
    found = setup.document.wallet(wallet)
    if not found or not found.value or points <= 0:
        return ""
    return f"{number_format((points * found.value).quantize(Decimal('0.01')), 2)} {setup.document.currency}"


@dataclass(frozen=True, slots=True)
class Climb:
    """A member's tier and the way to the next: `percent` of the step that lies between them."""

    name: str
    benefits: list[str]
    next_name: str
    sentence: str
    percent: int | None
    warning: str


def climb(progress: dict[str, Any], setup: Setup) -> Climb | None:
    """The way up as a member reads it; None for a program without tiers."""
    if not setup.tiers:
        return None
    tiers = {tier.key: tier for tier in setup.tiers}
    mine, following = tiers.get(progress["tier"] or ""), tiers.get(progress["next_tier"] or "")
    sentence, percent = _("You have reached the highest tier."), None
    if following is not None:
        sentence = _way(progress, _tier_name(following), setup)
        start = mine.threshold if mine else Decimal(0)
        span = following.threshold - start
        done = Decimal(progress["value"]) - start
        percent = max(0, min(100, int(done * 100 / span))) if span > 0 else 0
    return Climb(
        _tier_name(mine) if mine else "",
        [localized(one, "") for one in mine.definition.get("benefits", [])] if mine else [],
        _tier_name(following) if following else "",
        sentence,
        percent,
        _warning(progress["falls_at"], mine),
    )


def _tier_name(tier: Tier) -> str:
    return localized(tier.name, tier.key)


def _way(progress: dict[str, Any], name: str, setup: Setup) -> str:
    missing = Decimal(progress["missing"])
    if progress["measured_by"] == "visits":
        count = int(missing)
        text = ngettext("%(n)s more purchase to %(tier)s", "%(n)s more purchases to %(tier)s", count)
        return text % {"n": number(count), "tier": name}
    if progress["measured_by"] == "points":
        count = int(missing)
        wallet = setup.document.tiers.wallet or setup.document.wallets[0].key
        return _("%(n)s more %(unit)s to %(tier)s") % {"n": number(count), "unit": unit(setup, wallet), "tier": name}
    if progress["measured_by"] == "spend":
        return _("%(amount)s more to %(tier)s") % {"amount": _money(missing, setup.document.currency), "tier": name}
    return _("%(tier)s is the next tier") % {"tier": name}


def _warning(falls_at: datetime | None, mine: Tier | None) -> str:
    if falls_at is None or mine is None:
        return ""
    return _("You keep %(tier)s until %(day)s unless you collect more.") % {
        "tier": _tier_name(mine),
        "day": day(falls_at),
    }


def rules(setup: Setup) -> list[tuple[str, str]]:
    """(name, sentence) of everything that earns points."""
    said = sentences.sentences(setup.rules, setup)
    return [
        (
            localized(rule.document.name, ""),
            said[rule.id],
        )
        for rule in setup.rules
    ]


def lifetimes(setup: Setup) -> list[str]:
    """When the points of each wallet can be used, and when they expire."""
    said = []
    for one in setup.document.wallets:
        name = unit(setup, one.key)
        if one.pending_seconds:
            days = max(1, round(one.pending_seconds / 86_400))
            text = ngettext(
                "%(name)s can be used %(n)s day after you earned them.",
                "%(name)s can be used %(n)s days after you earned them.",
                days,
            )
            said.append(text % {"name": name.capitalize(), "n": days})
        said.append(_lifetime(name.capitalize(), one.expiry))
    return said


def _lifetime(name: str, expiry: Any) -> str:
    if expiry == "never":
        return _("%(name)s do not expire.") % {"name": name}
    since = _("your last activity") if expiry.activity else _("the day you earned them")
    given = {"name": name, "n": expiry.months, "since": since}
    return {
        "instant": _("%(name)s expire %(n)s months after %(since)s."),
        "day": _("%(name)s expire %(n)s months after %(since)s."),
        "month": _("%(name)s expire %(n)s months after %(since)s, at the end of that month."),
        "quarter": _("%(name)s expire %(n)s months after %(since)s, at the end of that quarter."),
        "year": _("%(name)s expire %(n)s months after %(since)s, at the end of that year."),
    }[expiry.until] % given
