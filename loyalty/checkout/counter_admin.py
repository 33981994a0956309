"""Photos of receipts, money due for rewards and the share of receipts with a card, in the admin."""

from datetime import date
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from unfold.decorators import display

from loyalty.checkout import dues, photos, shares
from loyalty.checkout.models import ReceiptPhoto, RewardDue, Store
from loyalty.customers.models import Customer
from loyalty.kit.admin import Act, ReadOnlyAdmin, admin_page, localized, page
from loyalty.kit.charts import Series, columns, lines
from loyalty.kit.clock import now
from loyalty.program.models import Program
from loyalty.program.setup import load
from loyalty.rewards.models import Redemption


def _stores() -> list[tuple[str, str]]:
    return [("", "–"), *((one.key, localized(one.name, one.key)) for one in Store.objects.order_by("key"))]


class BookForm(forms.Form):
    """What stands on the photo."""

    number = forms.CharField(label=_("number of the receipt"), max_length=100)
    day = forms.DateField(label=_("day of the purchase"), widget=forms.DateInput(attrs={"type": "date"}))
    amount = forms.DecimalField(label=_("amount that was paid"), min_value=0, max_digits=14, decimal_places=2)
    store = forms.ChoiceField(label=_("store"), choices=_stores, required=False)
    another = forms.BooleanField(
        label=_("another purchase of the same amount on that day"),
        required=False,
        help_text=_("Only asked for where the customer has one with the card already."),
    )


class RefuseForm(forms.Form):
    """Why, for the member."""

    reason = forms.CharField(
        label=_("reason"), max_length=300, help_text=_("The member reads this: “The date cannot be read.”")
    )


def _book(photo: ReceiptPhoto, data: dict[str, Any]) -> str:
    setup = load(Program.objects.get(pk=photo.program_id).key)
    photos.book(
        photo.pk, number=data["number"], day=data["day"], amount=data["amount"], store=data["store"] or None,
        setup=setup, by=data["by"], now=now(), another=data["another"],
    )  # fmt: skip
    return gettext("Booked: the points are with the member.")


def _refuse(photo: ReceiptPhoto, data: dict[str, Any]) -> str:
    photos.refuse(photo.pk, reason=data["reason"], by=data["by"], now=now())
    return gettext("Refused; the member reads why.")


@admin.register(ReceiptPhoto)
class ReceiptPhotoAdmin(ReadOnlyAdmin):
    list_display = ("shown", "sent_at", "state_label", "decided_by")
    list_display_links = ("shown",)
    list_filter = ("state",)
    ordering = ("-id",)
    panel_template = "admin/checkout/photo.html"
    empty_text = _("No photos yet: members send them in the portal when its document says “receipt_photos: true”.")
    acts = {
        "book": Act(_("Book"), _("What stands on the receipt? A receipt that a till kept is claimed; one that was"
                    " booked before is refused."), _book, form=BookForm, allowed=lambda one: one.state == "waiting"),
        "refuse": Act(_("Refuse"), _("Why can this receipt not be booked?"), _refuse, form=RefuseForm, danger=True,
                      allowed=lambda one: one.state == "waiting"),
    }  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReceiptPhoto]:
        return super().get_queryset(request).defer("picture")  # type: ignore[no-any-return]

    @display(description=_("photo"))  # type: ignore[untyped-decorator]
    def shown(self, photo: ReceiptPhoto) -> str:
        return f"#{photo.pk}"

    @display(description=_("state"), label={"waiting": "warning", "booked": "success", "refused": "info"})  # type: ignore[untyped-decorator]
    def state_label(self, photo: ReceiptPhoto) -> tuple[str, str]:
        return photo.state, photo.get_state_display()

    def panels(self, request: HttpRequest, obj: ReceiptPhoto) -> dict[str, Any]:
        return {
            "title": gettext("Photo of a receipt #%(n)s") % {"n": obj.pk},
            "form": BookForm() if obj.state == "waiting" and self.may_act(request, self.acts["book"]) else None,
            "book_url": reverse("admin:checkout_receiptphoto_act", args=[obj.pk, "book"]),
            "there": ReceiptPhoto.objects.filter(pk=obj.pk, picture__isnull=False).exists(),
            "customer_url": reverse("admin:customers_customer_change", args=[obj.customer_id]),
            "who": _name(obj.customer_id),
            "following": ReceiptPhoto.objects.filter(state="waiting").exclude(pk=obj.pk).order_by("sent_at")
            .values_list("pk", flat=True).first(),
        }  # fmt: skip


def _name(customer_id: int | None) -> str:
    person = Customer.objects.filter(pk=customer_id or 0).first()
    names = [person.first_name, person.last_name] if person else []
    return " ".join(one for one in names if one) or gettext("customer %(n)s") % {"n": customer_id}


@admin_page("checkout/photos/<int:number>.jpg", name="checkout_photo", permission="checkout.view_receiptphoto")
@require_safe
def picture(request: HttpRequest, number: int) -> HttpResponseBase:
    """The picture itself: drawn by us, so it is a JPEG and nothing else."""
    found = ReceiptPhoto.objects.filter(pk=number).first()
    if found is None or found.picture is None:
        raise Http404
    answer = HttpResponse(bytes(found.picture), content_type="image/jpeg")
    answer["Cache-Control"] = "private, no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Disposition"] = f'inline; filename="receipt-{number}.jpg"'
    return answer


class PaidForm(forms.Form):
    """Under what the money came, or went back."""

    reference = forms.CharField(label=_("reference"), max_length=200, help_text=_("Of the payment or the refund."))


def _due(due: Model) -> dict[str, Any]:
    return dues.dues(redemption_id=due.pk)[0][0]


def _pay(due: RewardDue, data: dict[str, Any]) -> str:
    dues.pay(due.pk, reference=data["reference"], by=data["by"], now=now())
    return gettext("Noted as paid: the order can be packed.")


def _refund(due: RewardDue, data: dict[str, Any]) -> str:
    dues.refund(due.pk, reference=data["reference"], by=data["by"], now=now())
    return gettext("Noted as refunded.")


class DueFilter(admin.SimpleListFilter):
    """What is to be done."""

    title = _("state")
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(key, label) for key, label in due_words().items() if key in ("open", "refund")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[RewardDue]) -> QuerySet[RewardDue]:
        if self.value() not in ("open", "refund"):
            return queryset
        found, _more = dues.dues(state=self.value(), limit=1000)
        return queryset.filter(pk__in=[one["redemption"] for one in found])


def due_words() -> dict[str, Any]:
    """The states of what is due, for people."""
    return {
        "open": gettext("to be paid"),
        "paid": gettext("paid"),
        "void": gettext("cancelled"),
        "refund": gettext("to be refunded"),
        "refunded": gettext("refunded"),
    }


@admin.register(RewardDue)
class RewardDueAdmin(ReadOnlyAdmin):
    list_display = ("shown", "amount", "way", "state_label", "made_at", "paid_at")
    list_display_links = ("shown",)
    list_filter = (DueFilter, "way")
    ordering = ("-redemption_id",)
    panel_template = "admin/checkout/due.html"
    empty_text = _("No money is due: rewards that cost points and money come here when members order them.")
    acts = {
        "paid": Act(_("Note a payment"), _("Did the money come? The order can be packed then."), _pay, form=PaidForm,
                    allowed=lambda one: _due(one)["state"] == dues.OPEN),
        "refunded": Act(_("Note a refund"), _("Did the money go back?"), _refund, form=PaidForm,
                        allowed=lambda one: _due(one)["state"] == dues.REFUND),
    }  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[RewardDue]:
        order = Redemption.objects.filter(pk=OuterRef("pk"))
        return (
            super()
            .get_queryset(request)
            .annotate(  # type: ignore[no-any-return]
                money=Subquery(order.values("money")),
                currency=Subquery(order.values("currency")),
                order_state=Subquery(order.values("state")),
            )
        )

    @display(description=_("redemption"))  # type: ignore[untyped-decorator]
    def shown(self, due: RewardDue) -> str:
        return f"#{due.pk}"

    @display(description=_("amount"))  # type: ignore[untyped-decorator]
    def amount(self, due: Any) -> str:
        return f"{due.money} {due.currency or ''}"

    @display(description=_("state"), label={"open": "warning", "refund": "danger", "paid": "success"})  # type: ignore[untyped-decorator]
    def state_label(self, due: Any) -> tuple[str, str]:
        state = dues.state_of(due.order_state, paid=due.paid_at is not None, refunded=due.refunded_at is not None)
        return state, due_words()[state]

    def panels(self, request: HttpRequest, obj: RewardDue) -> dict[str, Any]:
        found = _due(obj)
        return {
            "title": f"{number_format(found['amount'], 2, force_grouping=True)} {found['currency'] or ''}",
            "due": found,
            "reward": localized(found["name"], found["reward"]),
            "state": due_words()[found["state"]],
            "who": _name(obj.customer_id) if obj.customer_id else gettext("somebody who was forgotten"),
            "order_url": reverse("admin:rewards_redemption_change", args=[obj.pk]),
        }


@admin_page("checkout/shares/", name="checkout_shares", permission="checkout.view_storemonth")
@require_safe
def card_shares(request: HttpRequest) -> HttpResponseBase:
    """The share of receipts with a card, by month and by store."""
    months = shares.by_month()
    named = {one.key: localized(one.name, one.key) for one in Store.objects.all()}
    asked = request.GET.get("month", "")
    known: dict[str, date] = {str(month)[:7]: month for month, _share in months}
    chosen = known.get(asked) or (months[-1][0] if months else None)
    labels = [date_format(month, "M Y") for month, _share in months]
    context = {
        "title": gettext("Receipts with a card"),
        "months": months[::-1],
        "last": months[-1][1] if months else None,
        "chosen": chosen,
        "stores": [(named.get(one.label, one.label or gettext("no store named")), one) for one in
                   (shares.by_store(chosen) if chosen else [])],
        "share_chart": lines(
            labels,
            [
                Series(gettext("of receipts, %"), [float(one.percent or 0) for _month, one in months]),
                Series(gettext("of sales, %"), [float(one.percent_of_sales or 0) for _month, one in months]),
            ],
        ) if months else None,
        "count_chart": columns(
            labels,
            [
                Series(gettext("with a card"), [one.with_card for _month, one in months]),
                Series(gettext("without a card"), [one.without_card for _month, one in months]),
            ],
            stacked=True,
        ) if months else None,
    }  # fmt: skip
    return page(request, "admin/checkout/shares.html", context)
