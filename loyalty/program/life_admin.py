"""The end of a program in the admin: what it means, asked for by one, approved by another, undone until it begins."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.kit.admin import Act, ReadOnlyAdmin, admin_page, localized, page
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems
from loyalty.program import ending, life_words
from loyalty.program.life import Ending
from loyalty.program.models import Program
from loyalty.program.setup import Setup, load


class EndForm(forms.Form):
    """The two days."""

    earns = forms.DateField(
        label=_("Last day to earn"),
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("Purchases of later days earn nothing. Until then it can be undone."),
    )
    spends = forms.DateField(
        label=_("Last day to spend"),
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("Points that would last longer end on this day: give members at least a year."),
    )


def _context(setup: Setup, earns: Any, spends: Any) -> dict[str, Any]:
    """What the end would mean, as the template shows it."""
    return {
        "seen": ending.preview(setup, earns=earns, spends=spends),
        "currency": setup.document.currency,
        "wallets": {one.key: localized(one.name, one.key) for one in setup.document.wallets},
    }


def _shown(context: dict[str, Any]) -> dict[str, Any]:
    names = context.pop("wallets")
    return context | {"losses": [(names[one.wallet], one) for one in context["seen"].losses]}


@admin_page("programs/<int:program_id>/end", name="program_end", permission="program.add_ending")
def end_program(request: HttpRequest, program_id: int) -> HttpResponseBase:
    """Choose the days, see what they mean, ask for the end. Nothing happens before a second person approves."""
    program = Program.objects.filter(pk=program_id).first()
    if program is None:
        raise Http404
    setup, instant = load(program.key), now()
    open_one = Ending.objects.filter(program=program, state__in=["requested", "approved"]).first()
    if open_one is not None:
        return HttpResponseRedirect(reverse("admin:program_ending_change", args=[open_one.pk]))
    today = ending.today(setup, instant)
    usual = {"earns": today + timedelta(days=90), "spends": today + timedelta(days=90 + ending.USUAL_DAYS)}
    data = request.POST if request.method == "POST" else request.GET
    form = EndForm(data) if "earns" in data else EndForm(initial=usual)
    context: dict[str, Any] = {}
    if form.is_bound and form.is_valid():
        days = form.cleaned_data
        wrong = ending.problems(setup, earns=days["earns"], spends=days["spends"], now=instant)
        for problem in wrong:
            form.add_error("earns" if problem.where == "last_earning_day" else "spends", _WRONG[problem.where])
        if not wrong and request.method == "POST":
            try:
                made = ending.request(
                    setup=setup, earns=days["earns"], spends=days["spends"], by=request.user.get_username(),
                    now=instant,
                )  # fmt: skip
            except Problems as error:
                messages.error(request, str(error.problems[0]))
                return HttpResponseRedirect(request.get_full_path())
            messages.success(request, gettext("Asked. A second person has to approve it before anything happens."))
            return HttpResponseRedirect(reverse("admin:program_ending_change", args=[made]))
        if not wrong:
            context = _shown(_context(setup, days["earns"], days["spends"]))
    back = reverse("admin:program_program_change", args=[program.pk])
    name = localized(program.name, program.key)
    title = gettext("End %(name)s") % {"name": name}
    given = {"form": form, "title": title, "back": back, "object": program, "opts": Program._meta}
    return page(request, "admin/program/end.html", {**given, **context})


_WRONG = {
    "last_earning_day": _("This day has passed: choose today or a later one."),
    "last_spending_day": _("This is before the last day to earn: choose a later day."),
}


def _setup_of(one: Ending) -> Setup:
    return load(Program.objects.get(id=one.program_id).key)


def _decide(approve: bool) -> Any:
    def run(one: Ending, data: dict[str, Any]) -> str:
        ending.decide(ending_id=one.pk, approve=approve, by=data["by"], setup=_setup_of(one), now=now())
        return gettext("Approved: members are told now.") if approve else gettext("Rejected; the program goes on.")

    return run


def _undo(one: Ending, data: dict[str, Any]) -> str:
    ending.undo(ending_id=one.pk, by=data["by"], setup=_setup_of(one), now=now())
    return gettext("Undone: the program goes on. Members who were told are told that, too.")


@admin.register(Ending)
class EndingAdmin(ReadOnlyAdmin):
    list_display = ("title", "last_earning_day", "last_spending_day", "state", "requested_by", "decided_by")
    list_filter = ("state",)
    list_select_related = ("program",)
    ordering = ("-id",)
    panel_template = "admin/program/ending.html"
    empty_text = _("No program ends: the page of a program has a button for it.")
    acts = {
        "approve": Act(_("Approve"), _("End the program on these days? Members are told at once."), _decide(True),
                       allowed=lambda one: one.state == "requested", danger=True),
        "reject": Act(_("Reject"), _("Let the program go on?"), _decide(False),
                      allowed=lambda one: one.state == "requested"),
        "undo": Act(_("Undo"), _("Let the program go on? Members who were told are told that, too."), _undo,
                    allowed=lambda one: one.state == "approved" and one.begun_at is None),
    }  # fmt: skip

    @display(description=_("program"), ordering="program")  # type: ignore[untyped-decorator]
    def title(self, one: Ending) -> str:
        return localized(one.program.name, one.program.key)

    def panels(self, request: HttpRequest, obj: Ending) -> dict[str, Any]:
        setup = _setup_of(obj)
        return {
            "title": gettext("End of %(name)s") % {"name": self.title(obj)},
            "notice": life_words.ending(setup, now()),
            "program_url": reverse("admin:program_program_change", args=[obj.program_id]),
            **_shown(_context(setup, obj.last_earning_day, obj.last_spending_day)),
        }
