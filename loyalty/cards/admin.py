"""Cards in the admin: series, batches to print, and what can be done with one card."""

from base64 import b64encode
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.cards import drawing, operations, queries
from loyalty.cards.api import batch_file
from loyalty.cards.models import Card, CardBatch, CardChange, CardSeries
from loyalty.customers.cards import plain
from loyalty.customers.queries import profile, resolve
from loyalty.kit.admin import Act, ReadOnlyAdmin, admin_page, localized
from loyalty.kit.clock import now
from loyalty.kit.panels import Panel, customer_panel
from loyalty.kit.problems import Problem, Problems

TAKEN_AWAY = [one for one in Card.Reason.choices if one[0] != "merged"]


class ReasonForm(forms.Form):
    reason = forms.ChoiceField(label=_("reason"), choices=TAKEN_AWAY)


class ReplaceForm(ReasonForm):
    new_number = forms.CharField(
        label=_("number of the new card"),
        max_length=64,
        required=False,
        help_text=_("A card from stock. Leave it empty for a new digital one."),
    )


class AssignForm(forms.Form):
    customer = forms.CharField(label=_("external id of the customer"), max_length=200)
    reason = forms.CharField(label=_("reason"), max_length=500, required=False)


class MergeForm(forms.Form):
    gone = forms.CharField(label=_("number of the card that ends"), max_length=64)
    join = forms.BooleanField(
        label=_("Join the two customers, too"),
        required=False,
        help_text=_("Only when both cards belong to one person. Joined people can be separated again."),
    )


class IssueForm(forms.Form):
    amount = forms.IntegerField(label=_("cards"), min_value=1, max_value=operations.LARGEST_BATCH)
    note = forms.CharField(label=_("note"), max_length=500, required=False)


class LabelForm(forms.Form):
    label = forms.CharField(label=_("name on the card"), max_length=100, required=False)


def _issue(series: CardSeries, data: dict[str, Any]) -> str:
    operations.issue(series=series.key, amount=data["amount"], note=data["note"], by=data["by"], now=now())
    told = gettext("%(n)s cards were issued; the file for the printer is among the batches.")
    return told % {"n": data["amount"]}


@admin.register(CardSeries)
class CardSeriesAdmin(ReadOnlyAdmin):
    list_display = ("title", "key", "prefix", "length", "holder", "order")
    list_display_links = ("title",)
    fields = ("key", "prefix", "length", "holder", "order", "first_number", "next_number", "created_at")
    ordering = ("key",)
    panel_template = "admin/cards/series.html"
    empty_text = _("No series yet: write one as a document of kind card_series and apply it.")
    acts = {
        "issue": Act(
            _("Issue cards"), _("Make new cards of this series, to be printed?"), _issue, form=IssueForm,
            permission="cards.add_cardbatch",
        ),
    }  # fmt: skip

    @display(description=_("name"), ordering="key")
    def title(self, series: CardSeries) -> str:
        return localized(series.name, series.key)

    def panels(self, request: HttpRequest, obj: CardSeries) -> dict[str, Any]:
        batches = CardBatch.objects.filter(series=obj).order_by("-id")[: queries.PAGE]
        return {"title": localized(obj.name, obj.key), "batches": list(batches)}


@admin_page("cards/batch/<int:batch>/file/", name="cards_batch_file", permission="cards.add_cardbatch")
def printers_file(request: HttpRequest, batch: int) -> HttpResponseBase:
    """The file for the printer."""
    return batch_file(batch)


def _state(card: queries.CardShown) -> str:
    """The card's state in words."""
    words = str(Card.State(card.state).label)
    return f"{words}: {Card.Reason(card.reason).label}" if card.reason else words


def _assign(card: Card, data: dict[str, Any]) -> str:
    customer_id = resolve([data["customer"]])[0]
    if customer_id is None:
        raise Problems([Problem("customer", gettext("nobody has this external id"))])
    operations.assign(
        number=card.number, customer_id=customer_id, by=data["by"], now=now(), reason=data["reason"] or None
    )
    return gettext("The card was given to %(customer)s.") % {"customer": data["customer"]}


def _block(card: Card, data: dict[str, Any]) -> str:
    operations.block(number=card.number, reason=data["reason"], by=data["by"], now=now())
    return gettext("The card is blocked: tills refuse it.")


def _unblock(card: Card, data: dict[str, Any]) -> str:
    operations.unblock(number=card.number, by=data["by"], now=now())
    return gettext("The card can be used again.")


def _replace(card: Card, data: dict[str, Any]) -> str:
    new = operations.replace(
        number=card.number, reason=data["reason"], by=data["by"], now=now(), new_number=data["new_number"] or None
    )
    return gettext("Replaced by %(number)s.") % {"number": new.printed}


def _merge(card: Card, data: dict[str, Any]) -> str:
    operations.merge(keep=card.number, gone=data["gone"], join=data["join"], by=data["by"], now=now())
    return gettext("This card stands for both now.")


def _end(card: Card, data: dict[str, Any]) -> str:
    operations.end(number=card.number, reason=data["reason"], by=data["by"], now=now())
    return gettext("The card is ended.")


def _label(card: Card, data: dict[str, Any]) -> str:
    operations.name_staff_card(number=card.number, label=data["label"])
    return gettext("The name was written.")


def _ready(card: Card) -> bool:
    return card.state == "ready"


@admin.register(Card)
class CardAdmin(ReadOnlyAdmin):
    list_display = ("printed", "series", "state_label", "issued_at", "assigned_at")
    list_display_links = ("printed",)
    list_filter = ("state", "reason", "series")
    list_select_related = ("series",)
    search_fields = ("number",)
    search_help_text = _("The whole number, as it is on the card.")
    ordering = ("-id",)
    panel_template = "admin/cards/card.html"
    empty_text = _("No cards yet: issue some from a series, or let members open a digital card.")
    acts = {
        "assign": Act(_("Give to a customer"), _("Give this card to a customer?"), _assign, allowed=_ready,
                      form=AssignForm),
        "block": Act(_("Block"), _("Block this card? Tills refuse it until it is unblocked."), _block, allowed=_ready,
                     danger=True, form=ReasonForm),
        "unblock": Act(_("Unblock"), _("Make this card usable again, for whom it was?"), _unblock,
                       allowed=lambda card: card.state == "blocked"),
        "replace": Act(_("Replace"), _("Replace this card? The old number is refused, the points stay."), _replace,
                       allowed=lambda card: card.state != "ended", form=ReplaceForm),
        "merge": Act(_("Merge with another card"), _("Let this card stand for another one, too?"), _merge,
                     allowed=_ready, form=MergeForm),
        "name": Act(_("Write a name"), _("Whose card is it?"), _label, form=LabelForm,
                    allowed=lambda card: card.series.holder == "staff"),
        "end": Act(_("End"), _("End this card for good? This cannot be undone."), _end, danger=True, form=ReasonForm,
                   allowed=lambda card: card.state != "ended"),
    }  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Card], search_term: str
    ) -> tuple[QuerySet[Card], bool]:
        """By the unique index: a part of a number would read the whole table."""
        return (queryset.filter(number=plain(search_term)) if search_term else queryset), False

    @display(description=_("number"), ordering="number")
    def printed(self, card: Card) -> str:
        return queries.grouped(card.number)

    @display(description=_("state"), label={"ready": "success", "blocked": "warning", "ended": "danger"})
    def state_label(self, card: Card) -> tuple[str, str]:
        return card.state, card.get_state_display()

    def panels(self, request: HttpRequest, obj: Card) -> dict[str, Any]:
        """Whose it is, its pictures, its history."""
        shown = queries.find_all([obj.number])[obj.number]
        customer = profile(shown.customer_id) if shown.customer_id else None
        changes = queries.changes_of(obj.pk)
        for one in changes:
            one["words"] = CardChange.Act(one["act"]).label
            known = one["reason"] in Card.Reason.values
            one["reason_words"] = Card.Reason(one["reason"]).label if known else one["reason"] or "–"
        return {
            "title": queries.grouped(obj.number),
            "shown": shown,
            "words": _state(shown),
            "customer": (customer or {}).get("external_id") or gettext("somebody without a name"),
            "customer_url": shown.customer_id and reverse("admin:customers_customer_change", args=[shown.customer_id]),
            "replacement_url": obj.replaced_by_id and reverse("admin:cards_card_change", args=[obj.replaced_by_id]),
            "qr": _data(drawing.qr_svg(obj.number)),
            "barcode": _data(drawing.barcode_svg(obj.number)),
            "changes": changes,
        }


def _data(svg: str) -> str:
    return "data:image/svg+xml;base64," + b64encode(svg.encode()).decode()


@customer_panel(45, permission="cards.view_card")
def cards_panel(request: HttpRequest, customer_id: int) -> Panel | None:
    """The customer's cards; nothing for who has none."""
    found = queries.cards_of(customer_id)
    if not found:
        return None
    rows = [{"id": card.id, "printed": card.printed, "words": _state(card), "since": card.since} for card in found]
    return Panel("admin/cards/customer.html", {"cards": rows})
