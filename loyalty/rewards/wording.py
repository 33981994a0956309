"""Rewards in words, for members and for the staff."""

from decimal import Decimal
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.translation import get_language, gettext, ngettext

from loyalty.rewards import names, ranking
from loyalty.rewards.definition import RewardDocument

REASONS = (ranking.WISH, ranking.AFFINITY, ranking.REACHABLE, ranking.NEAR, ranking.FEATURED, ranking.OTHER)
REFUSALS = ("member", "later", "over", "stock", "limit", "points")


def local(texts: Any, fallback: str = "") -> str:
    """The text in the active language of a `{"en": ..., "de": ...}` field, else in any."""
    if not texts:
        return fallback
    language = (get_language() or "en").partition("-")[0]
    return str(texts.get(language) or texts.get("en") or next(iter(texts.values())) or fallback)


def price(points: int, money: Decimal | None, currency: str) -> str:
    """`800 points + 4.90 EUR`."""
    said = []
    if points:
        said.append(ngettext("%(n)s point", "%(n)s points", points) % {"n": number_format(points, force_grouping=True)})
    if money is not None:
        said.append(f"{number_format(money, 2, force_grouping=True)} {currency}")
    return " + ".join(said) or gettext("free of charge")


def reason(word: str, *, missing: int = 0, about: str = "") -> str:
    """Why a reward stands where it does, to the member."""
    return {
        ranking.WISH: to_go(missing) if missing else gettext("You saved enough for your wish"),
        ranking.AFFINITY: gettext("Goes with what you like: %(what)s") % {"what": about},
        ranking.REACHABLE: gettext("You have enough points"),
        ranking.NEAR: to_go(missing),
        ranking.FEATURED: gettext("Recommended by us"),
        ranking.OTHER: "" if not missing else to_go(missing),
    }[word]


def to_go(missing: int) -> str:
    """`120 points to go`."""
    return ngettext("%(n)s point to go", "%(n)s points to go", missing) % {
        "n": number_format(missing, force_grouping=True)
    }


def why_not(word: str, *, missing: int = 0) -> str:
    """Why it cannot be redeemed now, to the member; empty when it can."""
    return {
        "": "",
        "member": gettext("For members of the program"),
        "later": gettext("Not available yet"),
        "over": gettext("No longer available"),
        "stock": gettext("Sold out"),
        "limit": gettext("You have redeemed this as often as possible"),
        "points": to_go(missing),
    }[word]


def withdrawal(document: RewardDocument) -> str:
    """What members are told about changing their mind; the document's own words come first."""
    if document.withdrawal:
        return local(document.withdrawal)
    if document.type == names.PHYSICAL:
        return gettext(
            "You can cancel until the parcel is packed, and then return it within 14 days of receiving it without"
            " giving a reason. Your points come back in full, and so does what you paid."
        )
    if document.type in names.TIMED:
        return gettext(
            "You can cancel here until the deadline of the booking. There is no right of withdrawal for leisure"
            " services at a fixed date (Section 312g (2) no. 9 of the German Civil Code)."
        )
    if document.at_once:
        return gettext(
            "This reward is delivered at once. With the order you agree to that and know that your right of withdrawal"
            " ends with it (Section 356 (5) of the German Civil Code)."
        )
    return gettext("You can cancel until the order is carried out. Your points come back in full.")


def hour(at: Any) -> str:
    """A date with its time."""
    return date_format(at, "SHORT_DATETIME_FORMAT")
