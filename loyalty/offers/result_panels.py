"""What a personal offer brought, and how long limits last, as the pages of the admin show it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from loyalty.kit.charts import Series, columns
from loyalty.offers import reasoning, results
from loyalty.offers.comparing import PEOPLE_MIN, Difference, groups
from loyalty.offers.definition import OfferDocument
from loyalty.offers.forecast import Forecast
from loyalty.offers.models import Offer, OfferRound
from loyalty.offers.personal import last_day
from loyalty.program.wording import number

VERDICTS = {
    "few": _("too few people to say"),
    "unclear": _("it may be chance"),
    "more": _("brings more than it costs"),
    "less": _("costs more than it brings"),
}
TAGS = {"few": "", "unclear": "", "more": "good", "less": "bad"}


def of_offer(offer: Offer, document: OfferDocument) -> dict[str, Any]:
    """Everything about a personal offer; nothing for another. At most two queries."""
    if document.personal is None:
        return {}
    found = results.rounds_of(offer.pk)
    measured = [one for one in found if one.outcome is not None]
    current = found[0] if found else None
    return {
        "rule": reasoning.rule(document),
        "personal": document.personal,
        "rounds": [_round(one, document.currency) for one in found],
        "in_all": _shown(results.in_all(measured), document.currency) if measured else None,
        "sizes": _sizes(measured, document) if measured else [],
        "current": {**results.running(current.pk), "round": current} if current else None,
        "rates": _rates(current, document) if current else [],
        "people_min": PEOPLE_MIN,
        "result_chart": _chart(measured[::-1]) if len(measured) > 1 else None,
    }


def _round(one: OfferRound, currency: str) -> dict[str, Any]:
    shown = _shown(results.result(one.outcome), currency) if one.outcome is not None else None
    return {
        "round": one,
        "state": OfferRound.State(one.state).label,
        "last": last_day(one.ends_at, settings.TIME_ZONE),
        "result": shown,
    }


def _shown(found: results.Result, currency: str) -> dict[str, Any]:
    offered, held, difference = found.offered, found.held, found.difference
    return {
        "offered": offered,
        "held": held,
        "rows": [
            (gettext("People"), _count(offered.people), _count(held.people)),
            (gettext("reached the target"), _percent(offered.reached, offered.people),
             _percent(held.reached, held.people)),
            (gettext("used the offer"), _percent(offered.redeemers, offered.people), "–"),
            (gettext("Revenue a head"), _a_head(offered.revenue, offered.people, currency),
             _a_head(held.revenue, held.people, currency)),
            (gettext("Cost of the offer a head"), _a_head(offered.cost, offered.people, currency), "–"),
            (gettext("Margin a head, after that cost"), _a_head(offered.margin, offered.people, currency),
             _a_head(held.margin, held.people, currency)),
        ],
        "head": _signed(difference.head, currency),
        "low": _signed(difference.low, currency),
        "high": _signed(difference.high, currency),
        "total": _signed(difference.total, currency),
        "verdict": VERDICTS[difference.verdict],
        "tag": TAGS[difference.verdict],
        "sure": difference.verdict != "few",
    }  # fmt: skip


def _count(people: int) -> str:
    return str(number_format(people, force_grouping=True))


def _percent(part: int, whole: int) -> str:
    return f"{reasoning.percent(part / whole)} %" if whole else "–"


def _a_head(amount: float, people: int, currency: str) -> str:
    return _money(amount / people, currency) if people else "–"


def _money(amount: float, currency: str) -> str:
    return f"{number_format(amount, 2, force_grouping=True)} {currency}"


def _signed(amount: float, currency: str) -> str:
    told = _money(abs(amount), currency)
    return f"−{told}" if round(amount, 2) < 0 else f"+{told}"


def _sizes(measured: Sequence[OfferRound], document: OfferDocument) -> list[dict[str, Any]]:
    """What each size did over all rounds, whoever had it."""
    cells: dict[float | None, list[Mapping[str, Any]]] = {}
    for one in measured:
        for cell in one.outcome or ():
            if not cell["held_out"]:
                cells.setdefault(cell["size"], []).append(cell)
    rows = []
    for size, found in sorted(cells.items(), key=lambda pair: pair[0] or 0.0):
        offered, _held = groups(found)
        rows.append(
            {
                "size": reasoning.sized(document.benefit.type, size, document.currency),
                "people": offered.people,
                "reached": _percent(offered.reached, offered.people),
                "used": _percent(offered.redeemers, offered.people) if size is not None else "–",
                "cost": _a_head(offered.cost, offered.people, document.currency),
            }
        )
    return rows


def _rates(one: OfferRound, document: OfferDocument) -> list[dict[str, Any]]:
    """By what the sizes of a round were chosen."""
    bands = one.settings.get("bands", [])
    return [
        {
            "band": reasoning.band(bands, rate["band"], document.currency),
            "size": reasoning.sized(document.benefit.type, rate["size"], document.currency),
            "reach": reasoning.percent(rate["reach"]),
            "redeem": reasoning.percent(rate["redeem"]),
            "base": reasoning.percent(rate["base"]),
            "people": rate["people"],
            "others": rate["others"],
        }
        for rate in one.rates
    ]


def _chart(measured: Sequence[OfferRound]) -> Any:
    found: list[Difference] = [results.result(one.outcome or []).difference for one in measured]
    return columns(
        [date_format(one.ends_at, "SHORT_DATE_FORMAT") for one in measured],
        [Series(gettext("margin a head more than without"), [round(one.head, 2) for one in found])],
        height=200,
    )


def ahead(one: Forecast | None, currency: str, now: datetime) -> dict[str, Any] | None:
    """How long a limit lasts, in words."""
    if one is None:
        return None
    pace = [gettext("%(n)s uses a day") % {"n": number(round(one.uses_a_day, 1))}]
    if one.money_left is not None:
        pace.append(gettext("%(money)s a day") % {"money": _money(float(one.money_a_day), currency)})
    empty = one.empty_on is not None and one.empty_on <= now.date() and 0 in (one.uses_left, one.money_left)
    if empty:
        told = gettext("used up")
    elif one.empty_on is None:
        told = gettext("no end in sight")
    else:
        told = gettext("until about %(day)s") % {"day": date_format(one.empty_on, "DATE_FORMAT")}
    return {"told": told, "pace": ", ".join(pace), "soon": one.soon(now.date()), "empty": empty}
