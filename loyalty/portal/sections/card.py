"""The card: a code that a till scans, and the number to read out."""

from collections.abc import Mapping
from typing import Any

from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from loyalty.cards import drawing, operations, passes, queries
from loyalty.customers.models import CustomerIdentity
from loyalty.portal.section import Refused, Tile, sections
from loyalty.portal.visit import Visitor


@sections.register("card")
class Card:
    rank = 5
    icon = "card"
    after_leaving = False

    def title(self) -> str:
        return _("Card")

    def available(self, visitor: Visitor) -> bool:
        """The member has a card, or there is a series that one can come from."""
        return (
            CustomerIdentity.objects.filter(customer_id=visitor.customer_id, kind="card").exists()
            or queries.default_series() is not None
        )

    def tile(self, visitor: Visitor) -> Tile | None:
        """Where to tap at the till."""
        if visitor.member is None or visitor.member.state != "active":
            return None
        return Tile(_("Show it when you pay"))

    def page(self, visitor: Visitor, query: Mapping[str, str]) -> dict[str, Any]:
        """The newest card that works, as a QR code and a bar code."""
        found = queries.cards_of(visitor.customer_id, ended=False)
        if not found or visitor.member is None or visitor.member.state != "active":
            return {
                "card": None,
                "qr": "",
                "links": passes.Links(),
                "can": queries.default_series() is not None and visitor.active,
            }
        card = found[0]
        label = _("Card number %(number)s as a QR code") % {"number": card.number}
        # Drawn here from digits and letters that the drawing escapes.
        picture = mark_safe(drawing.qr_svg(card.number, label=label))  # noqa: S308
        links = passes.links_for(visitor.customer_id, now=visitor.now)
        return {"card": card, "qr": picture, "links": links, "can": False}

    def act(self, visitor: Visitor, data: Mapping[str, str]) -> str:
        """Make a digital card for who has none."""
        if queries.default_series() is None:
            raise Refused(_("There are no cards to be had here."))
        operations.ensure_card(customer_id=visitor.customer_id, now=visitor.now, by="portal")
        return _("Here is your card.")
