"""Receipts: purchases without a card are claimed by their code, by number, day and amount, or by a photo."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

from loyalty.checkout import identifying, photos, unmatched
from loyalty.checkout.models import ReceiptPhoto, UnmatchedReceipt
from loyalty.kit.problems import Problems
from loyalty.portal.section import Refused, Tile, sections
from loyalty.portal.texts import amount_of, day
from loyalty.portal.visit import Visitor

LATEST = 10


@sections.register("receipts")
class Receipts:
    rank = 45
    icon = "file"
    after_leaving = False

    def title(self) -> str:
        return _("Receipts")

    def available(self, visitor: Visitor) -> bool:
        """Members may send photos, or tills keep receipts of people without a card."""
        setup = visitor.setup
        return setup is not None and (
            visitor.look.document.receipt_photos or UnmatchedReceipt.objects.filter(program_id=setup.id).exists()
        )

    def tile(self, visitor: Visitor) -> Tile | None:
        """That no purchase is lost."""
        return Tile(_("No card with you? Get the points afterwards"))

    def page(self, visitor: Visitor, query: Mapping[str, str]) -> dict[str, Any]:
        """The forms, and what became of what was claimed and sent."""
        mine = ReceiptPhoto.objects.filter(customer_id=visitor.customer_id).defer("picture").order_by("-id")
        claimed = UnmatchedReceipt.objects.filter(customer_id=visitor.customer_id, state="claimed").order_by("-id")
        currency = visitor.club.document.currency
        return {
            "days": unmatched.LASTS.days,
            "photos": [
                (day(one.sent_at), one.get_state_display(), one.state, one.reason or "") for one in mine[:LATEST]
            ]
            if visitor.look.document.receipt_photos
            else None,
            "largest": photos.LARGEST // 1024 // 1024,
            "claimed": [
                (one.number or one.code, day(one.occurred_at), amount_of(one.amount, currency))
                for one in claimed[:LATEST]
            ],
            "today": visitor.now.date().isoformat(),
        }

    def act(self, visitor: Visitor, data: Mapping[str, str]) -> str:
        """Claim a receipt by what stands on it."""
        given: dict[str, Any] = {"code": data.get("code", "").strip()[:40]}
        if not given["code"]:
            given = {
                "number": data.get("number", "").strip()[:100],
                "day": _day(data.get("day", "")),
                "amount": _amount(data.get("amount", "")),
            }
            if not given["number"] or given["day"] is None or given["amount"] is None:
                raise Refused(_("Please fill in the code, or number, day and amount of the receipt."))
        try:
            done = unmatched.claim(
                customer_id=visitor.customer_id, reference=identifying.reference_of(visitor.customer_id),
                setup=visitor.club, now=visitor.now, actor="portal", **given,
            )  # fmt: skip
        except Problems as problems:
            raise Refused(_why_not(problems)) from None
        if done.repeated:
            return _("You have this receipt already.")
        return _("Booked: the points of this receipt are yours.")

    def upload(self, visitor: Visitor, data: Mapping[str, str], files: Mapping[str, Any]) -> str:
        """Put the photo of a receipt into the queue."""
        file = files.get("photo")
        if file is None or not visitor.look.document.receipt_photos:
            raise Refused(_("Please choose a photo."))
        if file.size > photos.LARGEST:
            raise Refused(_("This photo is too large: at most %(n)s MB.") % {"n": photos.LARGEST // 1024 // 1024})
        try:
            _number, before = photos.send(
                customer_id=visitor.customer_id, program_id=visitor.club.id, content=file.read(),
                note=data.get("note"), now=visitor.now,
            )  # fmt: skip
        except Problems as problems:
            raise Refused(_no_photo(problems)) from None
        if before:
            return _("We have this photo already.")
        return _("Thank you. We look at it within a few days; you find here what became of it.")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        return None


def _amount(text: str) -> Decimal | None:
    """An amount as people write it, with a comma or a point before the cents."""
    plain = text.strip().replace(" ", "")
    plain = plain.replace(".", "").replace(",", ".") if "," in plain else plain
    try:
        found = Decimal(plain[:20])
    except InvalidOperation:
        return None
    return found.quantize(Decimal("0.01")) if found.is_finite() and 0 <= found < 10**9 else None


def _why_not(problems: Problems) -> str:
    said = problems.problems[0].problem
    if "too many" in said:
        return _("Too many receipts were named that do not exist. Please try again tomorrow.")
    if "somebody else" in said:
        return _("Somebody else has claimed this receipt. Please write to us if it is yours.")
    if "came back" in said:
        return _("What was on this receipt came back, so there is nothing to collect.")
    if "older than" in said:
        return _("This receipt is too old: %(n)s days are the limit.") % {"n": unmatched.LASTS.days}
    if "has no card" in said:
        return _("Please get a card first, then your receipts can be booked.")
    return _("We do not find this receipt. Please look at it again; some arrive a day later.")


def _no_photo(problems: Problems) -> str:
    said = problems.problems[0].problem
    if "large" in said or "pixels" in said:
        return _("This photo is too large: at most %(n)s MB.") % {"n": photos.LARGEST // 1024 // 1024}
    if "too small" in said:
        return _("This photo is too small to be read. Please take it nearer.")
    if "a day" in said:
        return _("That is enough for today. Please send more tomorrow.")
    return _("This file is no photo that we can read. Please send a JPEG, PNG or WebP.")
