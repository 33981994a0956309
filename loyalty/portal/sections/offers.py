"""Offers to activate, and the member's vouchers with their codes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from loyalty.kit.problems import Problems
from loyalty.offers import queries, wallets, wording
from loyalty.offers.models import Offer, Voucher
from loyalty.portal.section import Refused, Tile, sections
from loyalty.portal.texts import last_day, localized
from loyalty.portal.visit import Visitor

USABLE = ("usable", "held", "early")


@sections.register("offers")
class Offers:
    rank = 20
    icon = "tag"
    after_leaving = False

    def title(self) -> str:
        return _("Offers")

    def available(self, visitor: Visitor) -> bool:
        """There is an offer for anybody, or the member has a voucher."""
        return (
            Offer.objects.filter(state="active").exists()
            or Voucher.objects.filter(customer_id=visitor.customer_id).exists()
        )

    def tile(self, visitor: Visitor) -> Tile | None:
        """How many wait to be activated, else how many vouchers there are."""
        waiting = sum(1 for one in wallets.wallet(visitor.customer_id, now=visitor.now) if one.state == "open")
        if waiting:
            text = ngettext("%(n)s offer to activate", "%(n)s offers to activate", waiting)
            return Tile(text % {"n": waiting}, str(waiting))
        own = sum(1 for row in queries.of_customer(visitor.customer_id, now=visitor.now) if row["status"] in USABLE)
        if own:
            return Tile(ngettext("%(n)s voucher to use", "%(n)s vouchers to use", own) % {"n": own}, str(own))
        return Tile(_("See what is on for you"))

    def page(self, visitor: Visitor, query: Mapping[str, str]) -> dict[str, Any]:
        """The wallet: offers first, then vouchers, those that are over last."""
        tiers = queries.tier_names()
        return {
            "offers": [_offer(one, tiers) for one in wallets.wallet(visitor.customer_id, now=visitor.now)],
            "vouchers": [
                _voucher(row, tiers) for row in queries.of_customer(visitor.customer_id, now=visitor.now)[:50]
            ],
        }

    def act(self, visitor: Visitor, data: Mapping[str, str]) -> str:
        """Activate one."""
        try:
            done = wallets.activate(visitor.customer_id, data.get("activate", "")[:50], now=visitor.now)
        except Problems:
            raise Refused(_("This offer cannot be activated any more.")) from None
        name = localized(done.document.name, done.key)
        return _("%(offer)s is active. It counts by itself at your next purchase that it fits.") % {"offer": name}


Tiers = Mapping[str, Mapping[str, str]]


def _offer(one: wallets.InWallet, tiers: Tiers) -> dict[str, Any]:
    document = one.document
    return {
        "key": one.key,
        "name": localized(document.name, one.key),
        "text": localized(document.description, ""),
        "sentence": wording.sentence(document, tiers),
        "until": date_format(document.when.end, "DATE_FORMAT") if document.when.end else "",
        "state": one.state,
    }


def _voucher(row: Mapping[str, Any], tiers: Tiers) -> dict[str, Any]:
    document = row["document"]
    words = {
        "held": _("held by a checkout"),
        "used": _("used"),
        "over": _("over"),
        "early": _("not yet"),
        "void": _("withdrawn"),
    }
    until = row["valid_until"]
    left = row["available"] if document.benefit.type == "gift_card" else None
    return {
        "name": localized(row["name"], row["pool"]),
        "sentence": wording.sentence(document, tiers),
        "code": row["code"] if row["status"] in USABLE else "",
        "state": words.get(row["status"], ""),
        "until": last_day(until) if isinstance(until, datetime) else "",
        "left": wording.money(left, document.currency) if left is not None else "",
    }
