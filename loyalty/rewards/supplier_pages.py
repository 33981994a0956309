"""Suppliers in the admin: what they were told, what they said, and what went wrong."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext, pgettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.kit import document_yaml
from loyalty.kit.admin import Act, ReadOnlyAdmin, localized
from loyalty.kit.clock import now
from loyalty.kit.problems import Problem, Problems
from loyalty.rewards import supplier_orders, suppliers
from loyalty.rewards.models import Redemption, Supplier, SupplierOrder

SHOWN = 20


def _revived(done: int) -> str:
    said = ngettext("%(n)s order will be sent again.", "%(n)s orders will be sent again.", done)
    return said % {"n": number_format(done, force_grouping=True)}


def _retry(supplier: Supplier, data: dict[str, Any]) -> str:
    return _revived(supplier_orders.revive(now=now(), supplier_id=supplier.pk))


def _retry_one(one: SupplierOrder, data: dict[str, Any]) -> str:
    return _revived(supplier_orders.revive(now=now(), redemption_ids=[one.pk]))


def _test(supplier: Supplier, data: dict[str, Any]) -> str:
    tried = suppliers.try_out(supplier, now=now())
    if tried.fault:
        raise Problems([Problem(gettext("The test did not arrive"), tried.fault)])
    supplier_orders.wake_up(supplier.pk)
    return gettext("The supplier answered %(status)s: it works.") % {"status": tried.status}


def _set(state: str, said: Any) -> Any:
    def run(supplier: Supplier, data: dict[str, Any]) -> str:
        suppliers.set_state(supplier_id=supplier.pk, state=state, now=now())
        return str(said)

    return run


def _hooked(supplier: Supplier) -> bool:
    return suppliers.webhook_of(supplier) is not None


@admin.register(Supplier)
class SupplierAdmin(ReadOnlyAdmin):
    list_display = ("title", "key", "state", "way", "told_at", "heard_at", "trouble")
    list_display_links = ("title",)
    list_filter = ("state",)
    search_fields = ("key", "name")
    ordering = ("key",)
    panel_template = "admin/rewards/supplier.html"
    empty_text = _("No supplier yet: apply a document of kind supplier. Rewards name it by its key.")
    acts = {
        "test": Act(_("Send a test"), _("Send a message that orders nothing, to see whether it arrives?"), _test,
                    allowed=_hooked),
        "retry": Act(_("Send again"), _("Send all orders again that were given up?"), _retry, allowed=_hooked),
        "pause": Act(_("Pause"), _("Send this supplier nothing for now? New orders wait."),
                     _set("paused", _("It is paused: orders wait.")), allowed=lambda one: one.state == "active"),
        "resume": Act(_("Go on"), _("Send orders to this supplier again?"), _set("active", _("Orders are sent again.")),
                      allowed=lambda one: one.state == "paused"),
    }  # fmt: skip

    @display(description=_("name"), ordering="name")
    def title(self, supplier: Supplier) -> str:
        return str(supplier)

    @display(description=_("orders go out"))
    def way(self, supplier: Supplier) -> str:
        return gettext("by themselves") if _hooked(supplier) else gettext("as CSV")

    @display(description=_("trouble"), label={"rests": "warning", "fails": "warning", "none": "success"})
    def trouble(self, supplier: Supplier) -> tuple[str, str]:
        if supplier.resting_until and supplier.resting_until > now():
            return "rests", gettext("does not answer")
        return ("fails", gettext("failed last time")) if supplier.failures else ("none", pgettext("trouble", "none"))

    def panels(self, request: HttpRequest, obj: Supplier) -> dict[str, Any]:
        """How it stands, what went wrong, its document; a fixed number of queries."""
        hook = suppliers.webhook_of(obj)
        found = supplier_orders.counts().get(obj.pk, {})
        chosen = f"supplier__id__exact={obj.pk}"
        rows = SupplierOrder.objects.filter(supplier=obj)
        wrong = list(rows.filter(last_error__isnull=False).exclude(state="told").order_by("-last_at")[:SHOWN])
        return {
            "title": str(obj),
            "hook": hook,
            "secret_problem": suppliers.secret_problem(hook) if hook else "",
            "counts": [
                (SupplierOrder.State(state).label, found.get(state, 0), f"?state__exact={state}&{chosen}")
                for state in ("waiting", "told", "dead")
            ],
            "resting": obj.resting_until if obj.resting_until and obj.resting_until > now() else None,
            "wrong": [(one, reverse("admin:rewards_redemption_change", args=[one.pk])) for one in wrong],
            "board_url": f"{reverse('admin:rewards_board')}?supplier={obj.key}",
            "reports_url": f"{settings.PUBLIC_URL}/api/v1/loyalty/suppliers/{obj.key}/reports",
            "text": document_yaml.write([obj.definition]),
        }  # fmt: skip


@admin.register(SupplierOrder)
class SupplierOrderAdmin(ReadOnlyAdmin):
    list_display = ("number", "supplier", "state_label", "attempts", "due", "last_at", "error")
    list_display_links = ("number",)
    list_filter = ("state", "supplier")
    list_select_related = ("supplier",)
    search_fields = ("redemption_id",)
    search_help_text = _("Number of the redemption")
    ordering = ("-redemption_id",)
    panel_template = "admin/rewards/supplier_order.html"
    empty_text = _("No order has gone to a supplier by itself yet.")
    acts = {
        "retry": Act(_("Send again"), _("Send this order again?"), _retry_one, allowed=lambda one: one.state == "dead"),
    }

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        if not search_term:
            return queryset, False
        number = int(search_term) if search_term.isdecimal() and len(search_term) < 19 else 0
        return queryset.filter(redemption_id=number), False

    @display(description=_("redemption"), ordering="redemption_id")
    def number(self, one: SupplierOrder) -> str:
        return f"#{one.pk}"

    @display(description=_("state"), label={"told": "success", "dead": "danger", "waiting": "info"})
    def state_label(self, one: SupplierOrder) -> tuple[str, str]:
        return one.state, one.get_state_display()

    @display(description=_("next attempt"))
    def due(self, one: SupplierOrder) -> Any:
        return one.due_at if one.state == "waiting" else None

    @display(description=_("last error"))
    def error(self, one: SupplierOrder) -> str:
        return one.last_error or "–"

    def panels(self, request: HttpRequest, obj: SupplierOrder) -> dict[str, Any]:
        found = Redemption.objects.filter(pk=obj.pk).select_related("reward").first()
        return {
            "title": gettext("Order %(number)s at %(supplier)s") % {"number": obj.pk, "supplier": obj.supplier},
            "redemption": found,
            "name": localized(found.reward.name, found.reward.key) if found else "",
        }
