"""Why somebody has a personal offer: in words for the person, and in figures for who is responsible."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.formats import number_format
from django.utils.translation import gettext

from loyalty.offers import rates, wording
from loyalty.offers.definition import OfferDocument
from loyalty.offers.personal import Mine
from loyalty.program.wording import number


def for_member(document: OfferDocument, mine: Mine) -> str:
    """Why the person has it, in the active language."""
    if mine.category is not None:
        said = gettext("You have this offer because you often buy %(category)s.")
        return said % {"category": mine.category}
    said = gettext("You have this offer because your purchases are usually about %(money)s.")
    return said % {"money": wording.money(round(mine.usual), document.currency)}


def described(document: OfferDocument, mine: Mine) -> dict[str, str]:
    """The description in each language, with the reason behind it."""
    found = {}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            text = document.description.get(language) or next(iter(document.description.values()), "")
            found[language] = " ".join(part for part in (text, for_member(document, mine)) if part)
    return found


def for_manager(document: OfferDocument, mine: Mine, round_rates: Sequence[Mapping[str, Any]]) -> str:
    """How the size came about, in the active language."""
    if mine.held_out:
        return gettext("Held out: the others are compared with people like this one.")
    if mine.size is None:
        return gettext("Nothing is offered: no size was expected to bring more than it costs.")
    size = sized(document.benefit.type, float(mine.size), document.currency)
    if mine.explored:
        return gettext("%(size)s by chance, so that there is something to learn from.") % {"size": size}
    rate = next((one for one in round_rates if (one["band"], one["step"]) == (mine.band, mine.step)), None)
    if rate is None or mine.expected is None:
        return size
    said = gettext(
        "%(size)s brings most: %(reach)s %% of such people reach the target with it, %(base)s %% without, %(redeem)s %%"
        " use it; %(money)s more margin are expected."
    )
    return said % {
        "size": size,
        "reach": percent(rate["reach"]),
        "base": percent(rate["base"]),
        "redeem": percent(rate["redeem"]),
        "money": wording.money(f"{mine.expected:.2f}", document.currency),
    }


def percent(share: float) -> str:
    """A share as a number of percent."""
    return str(number_format(round(100 * share, 1), 1))


def sized(kind: str, size: float | None, currency: str) -> str:
    """A size with its unit."""
    if size is None:
        return gettext("nothing")
    told = number(int(size)) if size == int(size) else str(number_format(size, 2))
    if kind == "percent":
        return f"{told} %"
    return gettext("%(n)s points") % {"n": told} if kind == "points" else f"{told} {currency}"


def band(bands: Sequence[float], place: int, currency: str) -> str:
    """Whose usual purchase is how much."""
    low, high = rates.band_name(bands, place)
    if low is None and high is None:
        return gettext("everybody")
    if low is None:
        return gettext("under %(money)s") % {"money": wording.money(high, currency)}
    if high is None:
        return gettext("%(money)s and more") % {"money": wording.money(low, currency)}
    values = {"low": wording.price(low), "high": wording.money(high, currency)}
    return gettext("%(low)s to under %(high)s") % values


def rule(document: OfferDocument) -> str:
    """The whole personal offer in a sentence, for who is responsible."""
    personal = document.personal
    if personal is None:
        return wording.sentence(document)
    sizes = " / ".join(sized(document.benefit.type, float(one), document.currency) for one in personal.sizes)
    if personal.target == "category":
        target = gettext("in the category that is number %(rank)s of one's own") % {"rank": personal.rank}
    else:
        target = gettext("from %(factor)s times one's usual purchase, in steps of %(round)s") % {
            "factor": number(personal.factor),
            "round": wording.money(personal.round, document.currency),
        }
    said = gettext("%(sizes)s, %(target)s, for %(days)s days; %(holdout)s %% are held out")
    return (
        said
        % {
            "sizes": sizes,
            "target": target,
            "days": personal.days,
            "holdout": number(personal.holdout),
        }
        + "."
    )
