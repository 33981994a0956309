"""Earning rules with their budgets, and places to check in, in the admin."""

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.kit.admin import Act, ReadOnlyAdmin, localized
from loyalty.kit.charts import Series, columns
from loyalty.kit.clock import now
from loyalty.kit.document_yaml import write
from loyalty.program import budgets, check_ins, sentences, wording
from loyalty.program.earning_tables import CheckInPlace
from loyalty.program.models import EarningRule, Program
from loyalty.program.setup import Setup, load_all, rule_of

STATES = {"active": _("active"), "paused": _("paused")}


def _all(programs: Any = None) -> dict[int, Setup]:
    return {setup.id: setup for setup in load_all(programs)}


@admin.register(EarningRule)
class EarningRuleAdmin(ReadOnlyAdmin):
    list_display = ("title", "program", "shown_state", "priority")
    list_display_links = ("title",)
    list_filter = ("state", "program", "type")
    list_select_related = ("program",)
    search_fields = ("key",)
    ordering = ("program", "priority", "key")
    panel_template = "admin/program/rule.html"
    empty_text = _("No rule yet: purchases are booked but earn nothing. Apply a document of kind earning_rule.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Words and forecasts are found once for a page, not once for a row."""
        found = super().get_queryset(request)
        if request.resolver_match and request.resolver_match.url_name == "program_earningrule_changelist":
            setups, instant = _all(), now()
            left = {key: one for setup in setups.values() for key, one in budgets.forecasts(setup, now=instant).items()}
            said = {key: one for setup in setups.values() for key, one in _said(setup).items()}
            request.rules_said = said  # type: ignore[attr-defined]
            request.rules_left = left  # type: ignore[attr-defined]
        return found

    def get_list_display(self, request: HttpRequest) -> Any:
        def said(rule: EarningRule) -> str:
            return str(getattr(request, "rules_said", {}).get(rule.pk, "–"))

        def budget(rule: EarningRule) -> str:
            one = getattr(request, "rules_left", {}).get(rule.pk)
            return _left(one) if one else "–"

        said.short_description = _("in words")  # type: ignore[attr-defined]
        budget.short_description = _("budget")  # type: ignore[attr-defined]
        return ["title", said, budget, "shown_state", "priority", "program"]

    @display(description=_("name"), ordering="key")  # type: ignore[untyped-decorator]
    def title(self, rule: EarningRule) -> str:
        return localized(rule.name, rule.key)

    @display(description=_("state"), ordering="state")  # type: ignore[untyped-decorator]
    def shown_state(self, rule: EarningRule) -> str:
        return str(STATES[rule.state])

    def panels(self, request: HttpRequest, obj: EarningRule) -> dict[str, Any]:
        """The rule in words, its budget and how long it lasts, its document; a fixed number of queries."""
        (setup,) = load_all([Program.objects.get(pk=obj.program_id)])
        instant = now()
        left = budgets.forecasts(setup, now=instant).get(obj.pk)
        days = budgets.by_day(obj.pk, today=instant.astimezone(ZoneInfo(setup.zone)).date()) if left else []
        labels = [date_format(day, "SHORT_DATE_FORMAT") for day, _points in days]
        rule = rule_of(obj, setup)
        return {
            "title": localized(obj.name, obj.key),
            "sentence": sentences.sentence(rule, sentences.terms_of(setup, ask=True)),
            "state": STATES[obj.state],
            "left": left,
            "left_text": _left(left) if left else "",
            "per_day": wording.number(left.per_day) if left else "",
            "limit": wording.number(left.limit) if left else "",
            "used": wording.number(left.used) if left else "",
            "money": _money(left, setup) if left else None,
            "pace_days": budgets.DAYS,
            "chart": columns(labels, [Series(gettext("points"), [points for _day, points in days])]) if days else None,
            "text": write([obj.definition]).removeprefix("---\n"),
            "program_url": reverse("admin:program_program_change", args=[obj.program_id]),
        }


def _said(setup: Setup) -> dict[int, str]:
    return sentences.sentences(setup.rules, setup)


def _left(one: budgets.Forecast) -> str:
    """What is left of a budget and until when, in a few words."""
    if one.empty:
        return gettext("used up: gives nothing")
    left = gettext("%(n)s %% used") % {"n": one.percent}
    if one.empty_on is None:
        return left
    return gettext("%(left)s, lasts until %(day)s") % {"left": left, "day": date_format(one.empty_on, "DATE_FORMAT")}


def _money(one: budgets.Forecast, setup: Setup) -> dict[str, str] | None:
    if not one.worth:
        return None
    terms = sentences.terms_of(setup)
    amounts: dict[str, int | Decimal] = {"limit": one.limit, "used": one.used, "per_day": one.per_day}
    return {name: terms.money(one.money(points)) for name, points in amounts.items()}


def _renew(place: CheckInPlace, data: dict[str, Any]) -> str:
    check_ins.renew(place_id=place.pk)
    return gettext("The screen has a new address. The old one and all its codes are void.")


@admin.register(CheckInPlace)
class CheckInPlaceAdmin(ReadOnlyAdmin):
    list_display = ("title", "key", "program", "shown_state")
    list_display_links = ("title",)
    list_select_related = ("program",)
    search_fields = ("key",)
    ordering = ("key",)
    panel_template = "admin/program/place.html"
    empty_text = _("No place yet: apply a document of kind check_in_place, then open its screen on a tablet there.")
    acts = {
        "renew": Act(_("New address"), _("Void the address of the screen, for example when somebody copied it? The"
                     " tablet at the place has to open the new one."), _renew, danger=True,
                     permission="program.change_checkinplace"),
    }  # fmt: skip

    @display(description=_("name"), ordering="key")  # type: ignore[untyped-decorator]
    def title(self, place: CheckInPlace) -> str:
        return localized(place.name, place.key)

    @display(description=_("state"))  # type: ignore[untyped-decorator]
    def shown_state(self, place: CheckInPlace) -> str:
        return str(STATES[check_ins.document_of(place).state])

    def panels(self, request: HttpRequest, obj: CheckInPlace) -> dict[str, Any]:
        document = check_ins.document_of(obj)
        allowed = request.user.has_perm("program.change_checkinplace")
        address = settings.PUBLIC_URL + reverse("check-in-screen", args=[check_ins.screen_of(obj)])
        return {
            "title": localized(obj.name, obj.key),
            "document": document,
            "state": STATES[document.state],
            "address": address if allowed else "",
        }
