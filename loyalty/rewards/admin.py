"""The shop in the admin: rewards with their stock, redemptions with their way, the board in `board_pages`."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.customers.models import Customer
from loyalty.customers.queries import find
from loyalty.kit.admin import Act, ReadOnlyAdmin, localized
from loyalty.kit.clock import now
from loyalty.kit.panels import Panel, customer_panel
from loyalty.program.setup import load
from loyalty.rewards import (
    board,
    board_pages,
    fulfillment,
    names,
    operations,
    queries,
    stock,
    supplier_pages,
    wording,
)
from loyalty.rewards.definition import RewardDocument
from loyalty.rewards.loading import ready
from loyalty.rewards.models import Redemption, RedemptionStep, Reward, RewardDraw, RewardSlot
from loyalty.rewards.orders import ADDRESS, NEEDED

SHOWN = 20
# Registers its own.
PAGES = (supplier_pages,)


class PiecesForm(forms.Form):
    """How many more."""

    pieces = forms.IntegerField(label=_("Pieces that come in"), min_value=1, max_value=1_000_000)


class CodesForm(forms.Form):
    """Codes, one a line."""

    codes = forms.CharField(
        label=_("Codes"),
        widget=forms.Textarea(attrs={"rows": 10}),
        help_text=_("One a line. Those that are there already are left out."),
    )
    expires_at = forms.DateTimeField(label=_("Good until"), required=False, help_text=_("Empty: without an end."))


def _restock(reward: Reward, data: dict[str, Any]) -> str:
    left = stock.restock(reward_id=reward.pk, pieces=data["pieces"], now=now())
    return gettext("Now %(n)s are left.") % {"n": number_format(left, force_grouping=True)}


def _add_codes(reward: Reward, data: dict[str, Any]) -> str:
    done = stock.add_codes(
        reward_id=reward.pk, codes=data["codes"].splitlines(), expires_at=data["expires_at"], now=now()
    )
    return gettext("%(added)s codes added, %(known)s were there already.") % {"added": done.added, "known": done.known}


def _set(state: str, said: Any) -> Any:
    def run(reward: Reward, data: dict[str, Any]) -> str:
        operations.set_state(reward_id=reward.pk, state=state, now=now())
        return str(said)

    return run


@admin.register(Reward)
class RewardAdmin(ReadOnlyAdmin):
    list_display = ("title", "type", "price", "left", "taken", "state")
    list_display_links = ("title",)
    list_filter = ("state", "type", "featured", "program")
    list_select_related = ("program",)
    search_fields = ("key", "name")
    ordering = ("-featured", "key")
    panel_template = "admin/rewards/reward.html"
    change_list_template = "admin/rewards/rewards.html"
    empty_text = _("No reward yet: write the first one here, or apply a document of kind reward.")
    acts = {
        "stock": Act(_("Add pieces"), _("How many came in? Who wishes for it is told when it was sold out."), _restock,
                     form=PiecesForm, allowed=lambda one: one.stock is not None and not one.definition.get("codes")),
        "codes": Act(_("Add codes"), _("The codes go to members in this order."), _add_codes, form=CodesForm,
                     allowed=lambda one: bool(one.definition.get("codes"))),
        "resume": Act(_("Put on the shelf"), _("Show this reward and let members redeem it?"),
                      _set("active", _("It is on the shelf.")), allowed=lambda one: one.state != "active"),
        "pause": Act(_("Take off the shelf"), _("Hide this reward for a while? What was redeemed goes on."),
                     _set("paused", _("It is off the shelf.")), allowed=lambda one: one.state == "active"),
        "archive": Act(_("Archive"), _("Hide this reward for good? What was redeemed stays."),
                       _set("archived", _("It is archived.")), allowed=lambda one: one.state != "archived",
                       danger=True),
    }  # fmt: skip

    @display(description=_("name"), ordering="key")
    def title(self, reward: Reward) -> str:
        return localized(reward.name, reward.key)

    @display(description=_("price"), ordering="points")
    def price(self, reward: Reward) -> str:
        options = RewardDocument.model_validate(reward.definition).options
        cheapest = min(options, key=lambda one: one.points)
        said = wording.price(cheapest.points, cheapest.money, reward.program.definition.get("currency", "EUR"))
        return gettext("from %(price)s") % {"price": said} if len(options) > 1 else said

    @display(description=_("in stock"))
    def left(self, reward: Reward) -> str:
        if reward.stock is None:
            return gettext("no limit")
        left = reward.stock - reward.taken
        return gettext("sold out") if not left else number_format(left, force_grouping=True)

    def panels(self, request: HttpRequest, obj: Reward) -> dict[str, Any]:
        """What it costs and who sees it, its stock, how it does, what waits; a fixed number of queries."""
        loaded = ready([obj])[0]
        document = loaded.document
        setup = load(obj.program.key)
        left = loaded.left
        return {
            "title": localized(obj.name, obj.key),
            "document": document,
            "text": wording.local(document.text),
            "prices": [wording.price(price.points, price.money, setup.document.currency) for price in document.options],
            "currency": setup.document.currency,
            "left": left,
            "low": left is not None and left <= (obj.low_stock or 0),
            "figures": board.figures(obj.pk),
            "chart": board_pages.bars(board.weeks(obj.pk, now=now())),
            "slots": RewardSlot.objects.filter(reward=obj).order_by("starts_at")[:SHOWN],
            "parts": [(localized(part.row.name, part.row.key), n) for part, n in loaded.parts],
            "draw": RewardDraw.objects.filter(reward=obj).first(),
            "withdrawal": wording.withdrawal(document),
            "redemptions": Redemption.objects.filter(reward=obj).order_by("-id")[:SHOWN],
            "text_url": reverse("admin:rewards_text", args=[obj.key]),
            "may_change": request.user.has_perm("rewards.change_reward"),
            "board_url": f"{reverse('admin:rewards_board')}?reward={obj.key}",
        }


class TrackingForm(forms.Form):
    """The parcel's number."""

    tracking = forms.CharField(label=_("Tracking number"), max_length=200, required=False)


class ReasonForm(forms.Form):
    """Why."""

    reason = forms.CharField(label=_("Reason"), max_length=500, required=False)


class AddressForm(forms.Form):
    """Where a parcel goes."""

    name = forms.CharField(label=_("Name"), max_length=200)
    company = forms.CharField(label=_("Company"), max_length=200, required=False)
    street = forms.CharField(label=_("Street and number"), max_length=200)
    addition = forms.CharField(label=_("Addition"), max_length=200, required=False)
    postcode = forms.CharField(label=_("Postcode"), max_length=20)
    city = forms.CharField(label=_("City"), max_length=200)
    country = forms.CharField(label=_("Country"), max_length=2, min_length=2, help_text=_("Two letters, such as DE."))


def _advance(state: str) -> Any:
    def run(one: Redemption, data: dict[str, Any]) -> str:
        done = fulfillment.advance(
            [one.pk], state=state, now=now(), actor=data["by"], tracking=data.get("tracking") or None
        )
        if not done:
            return gettext("Nothing changed: the address is missing, or somebody was faster.")
        return gettext("It is %(state)s now.") % {"state": Redemption.State(state).label}

    return run


def _follows(state: str) -> Any:
    return lambda one: state in names.following(one.reward.type, one.state) and one.reward.type != names.BUNDLE


def _cancel(one: Redemption, data: dict[str, Any]) -> str:
    done = fulfillment.cancel(one.pk, now=now(), reason=data["reason"] or None, actor=data["by"])
    said = ngettext("Cancelled; %(n)s point came back.", "Cancelled; %(n)s points came back.", done.points)
    told = said % {"n": number_format(done.points, force_grouping=True)}
    if one.money:
        told += " " + gettext("Pay back %(money)s %(currency)s (%(payment)s).") % {
            "money": number_format(one.money, 2), "currency": one.currency, "payment": one.payment,
        }  # fmt: skip
    return told


def _address(one: Redemption, data: dict[str, Any]) -> str:
    given = {name: str(data[name]).strip() for name in ADDRESS if data.get(name)}
    fulfillment.set_address(one.pk, address=given | {"country": given.get("country", "").upper()}, now=now())
    return gettext("The address is stored.")


@admin.register(Redemption)
class RedemptionAdmin(ReadOnlyAdmin):
    list_display = ("number", "reward_name", "quantity", "state", "points", "ordered_at", "source")
    list_display_links = ("number",)
    list_filter = ("state", "reward__type", "source")
    list_select_related = ("reward",)
    search_fields = ("id",)
    search_help_text = _("External id, email, phone, card or number of the redemption")
    ordering = ("-id",)
    panel_template = "admin/rewards/redemption.html"
    empty_text = _("Nobody has redeemed a reward yet.")
    acts = {
        "approve": Act(_("Approve"), _("Approve this order?"), _advance("approved"), allowed=_follows("approved")),
        "pack": Act(_("Packed"), _("Is it packed? The member cannot cancel any more."), _advance("packed"),
                    allowed=_follows("packed")),
        "ship": Act(_("Shipped"), _("Is it on its way? The member is told."), _advance("shipped"), form=TrackingForm,
                    allowed=_follows("shipped")),
        "deliver": Act(_("Delivered"), _("Did the member get it?"), _advance("delivered"),
                       allowed=_follows("delivered")),
        "address": Act(_("Set address"), _("Where does the parcel go?"), _address, form=AddressForm,
                       allowed=lambda one: one.state in names.REVOCABLE and one.customer_id is not None
                       and one.reward.type in (names.PHYSICAL, names.BUNDLE)),
        "cancel": Act(_("Cancel it"), _("Cancel? The points return to the lots they came from, the piece to the stock."
                                        " Codes that were seen do not come back."), _cancel, form=ReasonForm,
                      allowed=lambda one: one.state != names.CANCELLED and one.parent_id is None, danger=True),
    }  # fmt: skip

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        if not search_term:
            return queryset, False
        chosen = queryset.filter(customer_id__in=find(search_term))
        if search_term.isdecimal() and len(search_term) < 19:
            chosen = chosen | queryset.filter(id=int(search_term))
        return chosen, False

    @display(description=_("number"), ordering="id")
    def number(self, one: Redemption) -> str:
        return f"#{one.pk}"

    @display(description=_("reward"))
    def reward_name(self, one: Redemption) -> str:
        return localized(one.reward.name, one.reward.key)

    def panels(self, request: HttpRequest, obj: Redemption) -> dict[str, Any]:
        """What was ordered, where it goes, how far it is; a fixed number of queries."""
        found = queries.redemption(obj.pk) or {}
        customer = Customer.objects.filter(id=obj.customer_id).first() if obj.customer_id else None
        return {
            "title": gettext("Redemption %(number)s") % {"number": obj.pk},
            "found": found,
            "name": localized(obj.reward.name, obj.reward.key),
            "reward_url": reverse("admin:rewards_reward_change", args=[obj.reward_id]),
            "customer": customer,
            "customer_url": reverse("admin:customers_customer_change", args=[customer.pk]) if customer else "",
            "address": [found["address"][name] for name in ADDRESS if found["address"].get(name)]
            if found.get("address") else [],
            "needs_address": obj.reward.type == names.PHYSICAL and not found.get("address"),
            "price": wording.price(obj.points, obj.money, obj.currency or ""),
            "parts": [
                (localized(part["name"], part["reward"]), part | {"state_label": Redemption.State(part["state"]).label})
                for part in found.get("parts", [])
            ],
            "steps": RedemptionStep.objects.filter(redemption_id=obj.pk).order_by("id"),
            "may_see_codes": request.user.has_perm("rewards.view_rewardcode"),
            "needed": NEEDED,
        }  # fmt: skip


@customer_panel(36, permission="rewards.view_redemption")
def redeemed(request: HttpRequest, customer_id: int) -> Panel | None:
    """What the customer redeemed and wishes for, on the page of the customer."""
    rows, _next = queries.redemptions(customer_id=customer_id, limit=5)
    wishes = queries.wishes_of(customer_id)
    if not rows and not wishes:
        return None
    shown = [
        {
            "id": row["id"],
            "url": reverse("admin:rewards_redemption_change", args=[row["id"]]),
            "name": localized(row["name"], row["reward"]),
            "state": Redemption.State(row["state"]).label,
            "ordered_at": row["ordered_at"],
            "points": row["points"],
        }
        for row in rows
    ]
    wished = [(localized(one.reward.name, one.reward.key), one.reward.points) for one in wishes]
    return Panel("admin/rewards/panel.html", {"rows": shown, "wishes": wished})
