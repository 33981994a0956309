"""Checking in at a place: the code on its screen, scanned with the phone's camera, leads here."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from loyalty.kit.problems import Problems
from loyalty.portal.section import Refused, Tile, sections
from loyalty.portal.visit import Visitor
from loyalty.program import check_ins
from loyalty.program.earning_tables import CheckInPlace
from loyalty.program.terms import chosen


@sections.register("check_in")
class CheckIn:
    rank = 45
    icon = "check"
    after_leaving = False

    def title(self) -> str:
        return _("Check in")

    def available(self, visitor: Visitor) -> bool:
        """There is a place to check in."""
        return visitor.setup is not None and CheckInPlace.objects.filter(program_id=visitor.setup.id).exists()

    def tile(self, visitor: Visitor) -> Tile | None:
        """How it is done."""
        return Tile(_("Scan the code on the screen at one of our places"))

    def page(self, visitor: Visitor, query: Mapping[str, str]) -> dict[str, Any]:
        """The place of the code that was scanned, and whether it still counts."""
        code = query.get("code", "")[:500]
        if not code:
            return {"code": "", "place": "", "void": False}
        try:
            place = check_ins.read_code(code, now=visitor.now)
        except Problems:
            return {"code": "", "place": "", "void": True}
        return {"code": code, "place": chosen(place.name) or place.key, "void": False}

    def act(self, visitor: Visitor, data: Mapping[str, str]) -> str:
        """Check in with the code, once a day for each place."""
        try:
            done = check_ins.check_in(code=data.get("code", "")[:500], customer=visitor.customer_id, now=visitor.now)
        except Problems:
            raise Refused(_("This code is void by now. Scan the one that the screen shows.")) from None
        place = {"place": chosen(done.place.name) or done.place.key}
        if done.again:
            return _("You have checked in at %(place)s today already.") % place
        return _("You are checked in at %(place)s. Points for it appear in a moment.") % place
