"""Conversions in the admin: each with the touches that are credited for it, by every model."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from campaigns.attribution.method import methods
from campaigns.attribution.models import Conversion, Credit
from campaigns.delivery.models import Dispatch
from campaigns.planning.models import Goal
from loyalty.customers import queries as customers
from loyalty.customers.models import Customer
from loyalty.kit.admin import ReadOnlyAdmin, localized


class GoalFilter(admin.SimpleListFilter):
    title = _("goal")
    parameter_name = "goal"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(goal.pk), localized(goal.name, goal.key)) for goal in Goal.objects.order_by("key")]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Conversion]") -> "QuerySet[Conversion]":
        value = self.value()
        return queryset.filter(goal_id=int(value)) if value and value.isdecimal() and len(value) < 10 else queryset


@admin.register(Conversion)
class ConversionAdmin(ReadOnlyAdmin):
    list_display = ("occurred_at", "person", "goal", "worth")
    list_filter = (GoalFilter,)
    search_fields = ("id",)
    search_help_text = _("A person's external id or email; their beginnings will do")
    ordering = ("-id",)
    sortable_by: Sequence[str] = ()
    show_facets = admin.ShowFacets.NEVER
    panel_template = "admin/attribution/conversion.html"

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Conversion]":
        person = Customer.objects.filter(pk=OuterRef("customer_id"))
        goal = Goal.objects.filter(pk=OuterRef("goal_id"))
        return super().get_queryset(request).annotate(
            who=Subquery(person.values(name=Coalesce("external_id", "email"))[:1]),
            goal_key=Subquery(goal.values("key")[:1]),
            goal_name=Subquery(goal.values("name")[:1]),
        )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Conversion]", search_term: str
    ) -> tuple["QuerySet[Conversion]", bool]:
        if search_term.strip():
            queryset = queryset.filter(customer_id__in=customers.find(search_term))
        return queryset, False

    @display(description=_("person"))
    def person(self, conversion: Any) -> str:
        return conversion.who or f"#{conversion.customer_id}"

    @display(description=_("goal"))
    def goal(self, conversion: Any) -> str:
        return localized(conversion.goal_name, conversion.goal_key or f"#{conversion.goal_id}")

    @display(description=_("value"))
    def worth(self, conversion: Conversion) -> str:
        return number_format(conversion.value, 2)

    def panels(self, request: HttpRequest, obj: Conversion) -> dict[str, Any]:
        rows = list(Credit.objects.filter(conversion_id=obj.pk).order_by("touch_no"))
        dispatches = {item.pk: item for item in Dispatch.objects.filter(pk__in={row.dispatch_id for row in rows})}
        credited = {(row.touch_no, row.model): row for row in rows}
        touches = {row.touch_no: row for row in rows}
        table = [
            (touch, dispatches.get(touch.dispatch_id or 0), [credited.get((number, model)) for model in methods])
            for number, touch in sorted(touches.items())
        ]
        may_open = request.user.has_perm("customers.view_customer")
        return {
            "title": gettext("Conversion %(id)s") % {"id": obj.pk},
            "person": self.person(obj),
            "goal": self.goal(obj),
            "customer_url": reverse("admin:customers_customer_change", args=[obj.customer_id]) if may_open else "",
            "models": [method for _key, method in methods.items()],
            "touches": table,
        }
