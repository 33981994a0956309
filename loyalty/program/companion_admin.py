"""Beside the ledger in the admin: who would rise and fall, friends and members to look into, what flows ordered."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.kit.admin import Act, ReadOnlyAdmin, localized
from loyalty.kit.clock import now
from loyalty.program import caps, referrals
from loyalty.program.companion_calls import tier_moves
from loyalty.program.companions import Household, HouseholdMember, PointsOrder, Referral, Review
from loyalty.program.models import Program
from loyalty.program.setup import load

REFUSALS = {
    "no member": _("is no member"),
    "frozen": _("is frozen"),
    "has left": _("has left"),
    "too few points": _("too few points"),
    "program has ended": _("the program has ended"),
}


def _member_url(member_id: int) -> str:
    return reverse("admin:program_member_change", args=[member_id])


def tier_preview(request: HttpRequest, object_id: str) -> TemplateResponse:
    """Who would rise and fall if everybody were looked at now, and what it means. Reads all members once."""
    if not request.user.has_perm("program.view_program"):
        raise PermissionDenied
    program = Program.objects.filter(pk=int(object_id)).first() if object_id.isdecimal() else None
    if program is None:
        raise Http404
    setup = load(program.key)
    called = {tier.key: localized(tier.name, tier.key) for tier in setup.tiers}
    moves = tier_moves(setup, now()) if setup.tiers else []
    most = max((move["members"] for move in moves), default=1)
    rows = [
        {
            "before": called.get(move["now"], ""),
            "after": called.get(move["then"], ""),
            "members": move["members"],
            "direction": move["direction"],
            "width": max(1, round(200 * move["members"] / most)),
        }
        for move in moves
    ]
    back = reverse("admin:program_program_change", args=[program.pk])
    return TemplateResponse(
        request,
        "admin/program/preview.html",
        {
            **admin.site.each_context(request),
            "title": gettext("Who would rise and fall"),
            "object": program,
            "name": localized(program.name, program.key),
            "back": back,
            "opts": Program._meta,
            "moving": [row for row in rows if row["direction"] != "same"],
            "staying": [row for row in rows if row["direction"] == "same"],
            "risen": sum(row["members"] for row in rows if row["direction"] == "up"),
            "fallen": sum(row["members"] for row in rows if row["direction"] == "down"),
            "has_tiers": bool(setup.tiers),
        },
    )


def _accept(referral: Referral, data: dict[str, Any]) -> str:
    referrals.decide(referral_id=referral.pk, accept=True, by=data["by"], now=now())
    return gettext("Accepted: both get their points when the friend has bought and kept it.")


def _refuse(referral: Referral, data: dict[str, Any]) -> str:
    referrals.decide(referral_id=referral.pk, accept=False, by=data["by"], now=now())
    return gettext("Refused: nobody gets points for it.")


def _is_doubtful(referral: Referral) -> bool:
    return referral.state == Referral.State.DOUBTFUL


@admin.register(Referral)
class ReferralAdmin(ReadOnlyAdmin):
    list_display = ("id", "state", "why", "came_at", "decided_by")
    list_filter = ("state",)
    ordering = ("-id",)
    panel_template = "admin/program/referral.html"
    empty_text = _(
        "No friends yet: they come with a member's code, for which an earning rule of type referral is needed."
    )
    acts = {
        "accept": Act(_("Accept"), _("Let this referral count?"), _accept, allowed=_is_doubtful),
        "refuse": Act(_("Refuse"), _("Refuse this referral? Nobody gets points for it."), _refuse,
                      allowed=_is_doubtful, danger=True),
    }  # fmt: skip

    @display(description=_("doubt"))  # type: ignore[untyped-decorator]
    def why(self, referral: Referral) -> str:
        told = {
            referrals.SAME_ADDRESS: gettext("same name at the same place"),
            referrals.MANY: gettext("many friends in a month"),
        }
        return told.get(referral.doubt or "", "")

    def panels(self, request: HttpRequest, obj: Referral) -> dict[str, Any]:
        return {
            "title": gettext("Referral %(number)s") % {"number": obj.pk},
            "why": self.why(obj),
            "referrer_url": _member_url(obj.referrer_id),
            "friend_url": _member_url(obj.friend_id),
        }


def _clear(review: Review, data: dict[str, Any]) -> str:
    caps.decide(review_id=review.pk, freeze=False, by=data["by"], now=now())
    return gettext("All is well: the member goes on.")


def _freeze(review: Review, data: dict[str, Any]) -> str:
    caps.decide(review_id=review.pk, freeze=True, by=data["by"], now=now())
    return gettext("The member is frozen: nothing is earned or spent.")


def _is_open(review: Review) -> bool:
    return review.state == Review.State.OPEN


@admin.register(Review)
class ReviewAdmin(ReadOnlyAdmin):
    list_display = ("member", "cap", "counted", "opened_at", "state", "decided_by")
    list_filter = ("state",)
    ordering = ("-id",)
    panel_template = "admin/program/review.html"
    empty_text = _("Nobody to look into: the velocity limits of a program's document fill this list.")
    acts = {
        "clear": Act(_("All is well"), _("Let this member go on?"), _clear, allowed=_is_open),
        "freeze": Act(_("Freeze"), _("Stop this member from earning and spending until somebody has looked?"), _freeze,
                      allowed=_is_open, danger=True),
    }  # fmt: skip

    @display(description=_("member"), ordering="member_id")  # type: ignore[untyped-decorator]
    def member(self, review: Review) -> str:
        return f"#{review.member_id}"

    def panels(self, request: HttpRequest, obj: Review) -> dict[str, Any]:
        return {
            "title": gettext("Member %(number)s") % {"number": obj.member_id},
            "member_url": _member_url(obj.member_id),
        }


@admin.register(PointsOrder)
class PointsOrderAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "points", "customer_id", "reason", "source", "wanted_at", "settled_at", "refused")
    list_filter = ("kind", "refusal")
    ordering = ("-id",)
    empty_text = _("No orders: flows write them with the steps that give, take and set aside points or set a tier.")

    @display(description=_("refused because"))  # type: ignore[untyped-decorator]
    def refused(self, order: PointsOrder) -> str:
        return str(REFUSALS.get(order.refusal or "", order.refusal or ""))


@admin.register(Household)
class HouseholdAdmin(ReadOnlyAdmin):
    list_display = ("title", "program", "created_at")
    list_select_related = ("program",)
    ordering = ("-id",)
    panel_template = "admin/program/household.html"
    empty_text = _("No households: a program whose document has households lets members spend together.")

    @display(description=_("household"), ordering="id")  # type: ignore[untyped-decorator]
    def title(self, home: Household) -> str:
        return home.name or f"#{home.pk}"

    def panels(self, request: HttpRequest, obj: Household) -> dict[str, Any]:
        people = HouseholdMember.objects.filter(household=obj).order_by("joined_at", "member_id")
        return {
            "title": gettext("Household %(name)s") % {"name": self.title(obj)},
            "people": [
                {
                    "number": one.member_id,
                    "role": one.get_role_display(),
                    "since": one.joined_at,
                    "url": _member_url(one.member_id),
                }
                for one in people
            ],
        }
