"""Partners in the admin: their money, their contract, what they were told; statements, transfers, foreign programs."""

from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.customers.queries import find
from loyalty.kit.admin import Act, ReadOnlyAdmin, admin_page, localized, page
from loyalty.kit.charts import Series, columns
from loyalty.kit.clock import now
from loyalty.kit.panels import Panel, customer_panel
from loyalty.kit.problems import Problems
from loyalty.partners import (
    acquisition,
    calculator_page,
    foreign,
    operations,
    paper,
    queries,
    settlement,
    statements,
    words,
)
from loyalty.partners.api import file_of
from loyalty.partners.models import ForeignProgram, Partner, PartnerTransfer, Statement
from loyalty.program.models import Program
from loyalty.program.setup import load

CHANGE = "partners.change_partner"
# Its page registers itself.
CALCULATOR = calculator_page.calculator
STORES_SHOWN = 30


def _catch_up(partner: Partner, data: dict[str, Any]) -> str:
    first = min(rate["from"] for rate in partner.definition["rates"])
    since = forms.DateTimeField().clean(f"{first} 00:00")
    done = settlement.catch_up(partner_id=partner.pk, since=since)
    return gettext("%(n)s entries were added.") % {"n": number_format(done, force_grouping=True)}


@admin.register(Partner)
class PartnerAdmin(ReadOnlyAdmin):
    list_display = ("title", "key", "program", "state_label", "updated_at")
    list_display_links = ("title",)
    list_select_related = ("program",)
    ordering = ("key",)
    panel_template = "admin/partners/partner.html"
    empty_text = _("No partner yet: write one as a document of kind partner and apply it.")
    acts = {
        "catch_up": Act(
            _("Settle earlier purchases"),
            _("Look through all purchases since the first rate for some at this partner's shops that are not settled?"
              " Needed after shops were added late."),
            _catch_up,
        ),
    }  # fmt: skip

    @display(description=_("name"), ordering="key")
    def title(self, partner: Partner) -> str:
        return localized(partner.name, partner.key)

    @display(description=_("state"), label={"active": "success", "ended": "warning"})
    def state_label(self, partner: Partner) -> tuple[str, str]:
        return partner.state, partner.get_state_display()

    def panels(self, request: HttpRequest, obj: Partner) -> dict[str, Any]:
        """Money, shops, rates, contract, what was passed on; a fixed number of queries."""
        contract, stores = queries.contract_of(obj), queries.stores_of(obj.pk)
        months = queries.months(obj.pk, zone=obj.timezone)
        known, enrolled, agreed = queries.known_people(obj.pk)
        bills = list(Statement.objects.filter(partner=obj).order_by("-month")[:12])
        sums = statements.payments([one.pk for one in bills])
        return {
            "title": localized(obj.name, obj.key),
            "balances": statements.balances(obj.pk),
            "currency": load(Program.objects.get(id=obj.program_id).key).document.currency,
            "people": {"known": known, "enrolled": enrolled, "agreed": agreed},
            "stores": stores[:STORES_SHOWN],
            "more_stores": max(0, len(stores) - STORES_SHOWN),
            "rates": [
                {**rate, "since": date.fromisoformat(rate["from"])} for rate in reversed(obj.definition["rates"])
            ],
            "fields": [
                (words.field_name(one.field), words.CONDITIONS[one.to], localized(one.why, ""))
                for one in contract.fields
            ],
            "identify": ", ".join(contract.identify),
            "statements": [(one, sums.get(one.pk, Decimal(0))) for one in bills],
            "transfers_url": f"{reverse('admin:partners_partnertransfer_changelist')}?partner__id__exact={obj.pk}",
            "may_key": request.user.has_perm("access.add_apikey") and request.user.has_perm(CHANGE),
            "chart": _points_chart(months) if months else None,
            "came": acquisition.by_month(obj.pk, program_id=obj.program_id, zone=obj.timezone, now=now())[::-1],
        }


def _points_chart(months: list[dict[str, Any]]) -> Any:
    return columns(
        [date_format(row["month"], "M y") for row in months],
        [
            Series(gettext("earned there"), [float(row["issued"]) for row in months]),
            Series(gettext("spent there"), [float(row["burned"]) for row in months]),
        ],
        height=220,
    )


@admin_page("partners/partner/<int:partner_id>/key/", name="partners_key", permission=CHANGE)
def new_key(request: HttpRequest, partner_id: int) -> HttpResponseBase:
    """Ask, make a key for the partner, and show its secret in the answer, which is kept nowhere."""
    partner = Partner.objects.filter(id=partner_id).first()
    if partner is None:
        raise Http404
    if not request.user.has_perm("access.add_apikey"):
        raise PermissionDenied
    back = reverse("admin:partners_partner_change", args=[partner.pk])
    context = {"title": gettext("New key"), "partner": localized(partner.name, partner.key), "back": back}
    if request.method == "POST":
        try:
            context["secret"] = operations.create_key(partner=partner, now=now()).secret
        except Problems as error:
            for problem in error.problems:
                messages.error(request, str(problem))
            return HttpResponseRedirect(back)
    answer = page(request, "admin/partners/key.html", context)
    answer["Cache-Control"] = "no-store"
    return answer


class PaymentForm(forms.Form):
    """How much was paid, and how to find it in the bank's papers."""

    amount = forms.DecimalField(
        label=_("Amount"), decimal_places=2, max_digits=14,
        help_text=_("Over 0: the partner paid us. Below 0: we paid the partner."),
    )  # fmt: skip
    reference = forms.CharField(label=_("Reference"), max_length=200, required=False)


def _pay(statement: Statement, data: dict[str, Any]) -> str:
    rest = statements.pay(
        statement=statement, amount=data["amount"], reference=data["reference"], actor=data["by"], now=now()
    )
    shown = f"{number_format(rest, 2, force_grouping=True)} {statement.currency}"
    return gettext("Noted. Still open: %(rest)s.") % {"rest": shown}


@admin.register(Statement)
class StatementAdmin(ReadOnlyAdmin):
    list_display = ("number", "partner", "month", "net", "tax", "gross", "currency", "made_at")
    list_filter = ("partner",)
    list_select_related = ("partner",)
    ordering = ("-month", "partner")
    panel_template = "admin/partners/statement.html"
    empty_text = _("No statement yet: each partner's is made on the fourth day of the next month.")
    acts = {
        "pay": Act(_("Note a payment"), _("Was something paid on this statement?"), _pay, form=PaymentForm,
                   allowed=lambda statement: statements.paid(statement.pk) != statement.gross),
    }  # fmt: skip

    def panels(self, request: HttpRequest, obj: Statement) -> dict[str, Any]:
        paid = statements.paid(obj.pk)
        return {
            "title": obj.number,
            "partner": localized(obj.partner.name, obj.partner.key),
            "partner_url": reverse("admin:partners_partner_change", args=[obj.partner_id]),
            "lines": [(paper.kind_name(line["kind"]), line) for line in obj.lines],
            "paid": paid,
            "open": obj.gross - paid,
        }


@admin_page("partners/statement-file/<int:statement_id>/<str:format>/", name="partners_statement_file",
            permission="partners.view_statement")  # fmt: skip
def statement_file(request: HttpRequest, statement_id: int, format: str) -> HttpResponseBase:
    """The statement as PDF or CSV."""
    statement = Statement.objects.select_related("partner").filter(pk=statement_id).first()
    if statement is None or format not in ("pdf", "csv"):
        raise Http404
    return file_of(statement, format)


@admin.register(PartnerTransfer)
class TransferAdmin(ReadOnlyAdmin):
    list_display = ("at", "partner", "customer_id", "shown_fields", "shown_occasion")
    list_filter = ("partner",)
    list_select_related = ("partner",)
    search_fields = ("customer_id",)
    search_help_text = _("External id, email, phone or card of the person")
    ordering = ("-id",)
    empty_text = _("Nothing was passed on to any partner.")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        return (queryset.filter(customer_id__in=find(search_term)) if search_term else queryset), False

    @display(description=_("fields"))
    def shown_fields(self, transfer: PartnerTransfer) -> str:
        return ", ".join(str(words.field_name(field)) for field in transfer.fields)

    @display(description=_("occasion"))
    def shown_occasion(self, transfer: PartnerTransfer) -> Any:
        return words.OCCASIONS.get(transfer.occasion, transfer.occasion)


def _move_over(program: ForeignProgram, data: dict[str, Any]) -> str:
    done = foreign.move_over(foreign=program, now=now())
    figures = {"n": done.accounts, "theirs": done.foreign_points, "ours": done.points}
    text = gettext("%(n)s accounts moved over: %(theirs)s of their points became %(ours)s of ours.")
    return text % {name: number_format(value, force_grouping=True) for name, value in figures.items()}


@admin.register(ForeignProgram)
class ForeignAdmin(ReadOnlyAdmin):
    list_display = ("title", "key", "program", "updated_at")
    list_display_links = ("title",)
    list_select_related = ("program",)
    ordering = ("key",)
    panel_template = "admin/partners/foreign.html"
    empty_text = _("No foreign program: write one as a document of kind foreign_program to mirror its balances here.")
    acts = {
        "move": Act(
            _("Move points over"),
            _("Give the owners of up to 5,000 accounts our points for theirs? The other program must let go of them."
              " This cannot be undone."),
            _move_over,
            danger=True,
        ),
    }  # fmt: skip

    @display(description=_("name"), ordering="key")
    def title(self, program: ForeignProgram) -> str:
        return localized(program.name, program.key)

    def panels(self, request: HttpRequest, obj: ForeignProgram) -> dict[str, Any]:
        plan = foreign.exit_plan(obj)
        ends = date.fromisoformat(plan["ends_on"]) if plan["ends_on"] else None
        return {
            "title": localized(obj.name, obj.key),
            "plan": {**plan, "ends_on": ends},
            "rate": obj.definition["rate"],
        }


@customer_panel(37, permission="partners.view_partnertransfer")
def partners(request: HttpRequest, customer_id: int) -> Panel | None:
    """What partners know of this person, on the page of the customer."""
    found = queries.partners_of(customer_id)
    if not found:
        return None
    for one in found:
        one["title"] = localized(one["name"], one["key"])
        one["shown"] = ", ".join(str(words.field_name(field)) for field in one["fields"] or ())
    return Panel("admin/partners/panel.html", {"partners": found})
