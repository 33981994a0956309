"""The program in the admin: its rules in words, what it owes, its members and their ledgers, corrections to decide."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.customers.models import Customer
from loyalty.customers.queries import find
from loyalty.kit.admin import Act, ReadOnlyAdmin, localized
from loyalty.kit.clock import now
from loyalty.kit.panels import Panel, customer_panel
from loyalty.program import budgets, companion_admin, life_words, operations, queries, sentences, step_up, wording
from loyalty.program.definition import Expiry
from loyalty.program.earning_admin import EarningRuleAdmin  # noqa: F401 - pages that Django finds through this module
from loyalty.program.life_admin import EndingAdmin  # noqa: F401 - as above
from loyalty.program.models import Adjustment, Member, Program
from loyalty.program.setup import Setup, load

FLOW_DAYS = 30
SHOWN_ENTRIES = 25
ACCOUNT_NAMES = {
    "pending": _("pending"),
    "active": _("available"),
    "locked": _("locked"),
    "owed": _("owed"),
    "issued": _("earned"),
    "spent": _("spent"),
    "expired": _("expired"),
    "reversed": _("returned"),
    "adjusted": _("correction"),
    "transit": _("another member"),
    "opening": _("import"),
}


@admin.register(Program)
class ProgramAdmin(ReadOnlyAdmin):
    list_display = ("title", "key", "updated_at")
    list_display_links = ("title",)
    ordering = ("key",)
    panel_template = "admin/program/program.html"
    empty_text = _("No program yet: write it as a document of kind program and apply it.")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(companion_admin.tier_preview)
        return [path("<path:object_id>/tiers/", view, name="program_program_tiers"), *super().get_urls()]

    @display(description=_("name"), ordering="key")
    def title(self, program: Program) -> str:
        return localized(program.name, program.key)

    def panels(self, request: HttpRequest, obj: Program) -> dict[str, Any]:
        """Its rules, tiers, wallets, and what it owes; a fixed number of queries."""
        setup = load(obj.key)
        instant = now()
        counts = queries.tier_counts(setup.id)
        liability = queries.liability(setup)
        said = sentences.sentences(setup.rules, setup)
        left = budgets.forecasts(setup, now=instant)
        moved = queries.flows_of_points(setup, since=instant - timedelta(days=FLOW_DAYS))
        return {
            "title": localized(obj.name, obj.key),
            "notice": life_words.ending(setup, instant),
            "end_url": reverse("admin:program_end", args=[obj.pk])
            if request.user.has_perm("program.add_ending")
            else "",
            "preview_url": reverse("admin:program_program_tiers", args=[obj.pk]),
            "currency": setup.document.currency,
            "days": FLOW_DAYS,
            "rules": [
                {
                    "key": rule.document.key,
                    "url": reverse("admin:program_earningrule_change", args=[rule.id]),
                    "left": left.get(rule.id),
                    "name": localized(rule.document.name, rule.document.key),
                    "sentence": said[rule.id],
                    "priority": rule.document.priority,
                }
                for rule in setup.rules
            ],
            "tiers": [
                {"name": localized(t.name, t.key), "threshold": t.threshold, "members": counts.get(t.id, 0)}
                for t in setup.tiers
            ],
            "wallets": [_wallet(setup, key, moved.get(key, {})) for key in setup.wallet_ids],
            "liability": [(_called(setup, one.wallet), one) for one in liability],
            "worth": sum((one.worth for one in liability), Decimal(0)),
        }


def _called(setup: Setup, key: str) -> str:
    """The name of a wallet."""
    wallet = setup.document.wallet(key)
    return localized(wallet.name if wallet else {}, key)


def _wallet(setup: Setup, key: str, moved: dict[str, int]) -> dict[str, Any]:
    wallet = setup.document.wallet(key)
    expiry = wallet.expiry if wallet else "never"
    if isinstance(expiry, Expiry):
        ends = {
            "instant": gettext("%(n)s months after they are earned"),
            "day": gettext("%(n)s months after they are earned, at the end of that day"),
            "month": gettext("%(n)s months after they are earned, at the end of that month"),
            "quarter": gettext("%(n)s months after they are earned, at the end of that quarter"),
            "year": gettext("%(n)s months after they are earned, at the end of that year"),
        }[expiry.until] % {"n": expiry.months}
        if expiry.activity:
            ends = gettext("%(n)s months after the last activity") % {"n": expiry.months}
    else:
        ends = gettext("never")
    return {
        "key": key,
        "name": _called(setup, key),
        "pending": wording.waiting(wallet.pending) if wallet and wallet.pending_seconds else "–",
        "expiry": ends,
        "short": isinstance(expiry, Expiry) and expiry.short and not expiry.activity,
        "moved": moved,
    }


class TierForm(forms.Form):
    """Which tier, and until when."""

    tier = forms.CharField(label=_("Key of the tier"), required=False, help_text=_("Empty takes the tier away."))
    until = forms.DateTimeField(label=_("Keep it until"), required=False)


class AskForm(forms.Form):
    """How many points, and why."""

    points = forms.IntegerField(label=_("Points"), help_text=_("Below 0 takes points away."))
    reason = forms.CharField(label=_("Reason"), max_length=500)


def _setup_of(member: Member) -> Setup:
    return load(Program.objects.get(id=member.program_id).key)


def _freeze(member: Member, data: dict[str, Any]) -> str:
    operations.freeze(member_id=member.pk, frozen=True)
    return gettext("The member is frozen: nothing is earned or spent.")


def _thaw(member: Member, data: dict[str, Any]) -> str:
    operations.freeze(member_id=member.pk, frozen=False)
    return gettext("The member can earn and spend again.")


def _forget_pin(member: Member, data: dict[str, Any]) -> str:
    step_up.clear_pin(member_id=member.pk)
    return gettext("The PIN is forgotten: the member can set a new one.")


def _set_tier(member: Member, data: dict[str, Any]) -> str:
    operations.set_tier(
        member_id=member.pk, tier=data["tier"] or None, until=data["until"], setup=_setup_of(member), now=now()
    )
    return gettext("The tier was set.")


def _ask(member: Member, data: dict[str, Any]) -> str:
    operations.request_adjustment(
        member_id=member.pk, wallet=None, points=data["points"], reason=data["reason"], by=data["by"],
        setup=_setup_of(member), now=now(),
    )  # fmt: skip
    return gettext("Asked. A second person has to approve it before anything is booked.")


@admin.register(Member)
class MemberAdmin(ReadOnlyAdmin):
    list_display = ("who", "program", "state", "tier", "joined_at")
    list_display_links = ("who",)
    list_filter = ("state", "program", "tier")
    list_select_related = ("program", "tier")
    search_fields = ("id",)
    search_help_text = _("External id, email, phone, card or number of the member")
    ordering = ("-id",)
    panel_template = "admin/program/member.html"
    empty_text = _("Nobody is a member yet: members come with their first purchase, or by joining.")
    acts = {
        "adjust": Act(_("Correct points"), _("Ask for points to be given or taken? A second person decides."), _ask,
                      form=AskForm, permission="program.add_adjustment"),
        "tier": Act(_("Set tier"), _("Give this member a tier by hand?"), _set_tier, form=TierForm,
                    allowed=lambda member: member.state == "active"),
        "pin": Act(_("Forget PIN"), _("Forget this member's PIN? Make sure first who asks. The member sets a new one."),
                   _forget_pin, danger=True, allowed=lambda member: step_up.has_pin(member.pk)),
        "freeze": Act(_("Freeze"), _("Stop this member from earning and spending until somebody has looked?"), _freeze,
                      danger=True, allowed=lambda member: member.state == "active"),
        "thaw": Act(_("Unfreeze"), _("Let this member earn and spend again?"), _thaw,
                    allowed=lambda member: member.state == "frozen"),
    }  # fmt: skip

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        if not search_term:
            return queryset, False
        chosen = queryset.filter(customer_id__in=find(search_term))
        if search_term.isdecimal() and len(search_term) < 19:
            chosen = chosen | queryset.filter(id=int(search_term))
        return chosen, False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        named = Customer.objects.filter(pk=OuterRef("customer_id")).values("external_id")[:1]
        return super().get_queryset(request).annotate(called=Subquery(named))

    @display(description=_("member"), ordering="id")
    def who(self, member: Any) -> str:
        return f"#{member.pk} · {member.called}" if member.called else f"#{member.pk}"

    def panels(self, request: HttpRequest, obj: Member) -> dict[str, Any]:
        """Balances, the way to the next tier, lots and the latest entries; a fixed number of queries."""
        setup = _setup_of(obj)
        customer = Customer.objects.filter(id=obj.customer_id).first() if obj.customer_id else None
        return {
            "title": gettext("Member %(number)s") % {"number": obj.pk},
            "customer": customer,
            "customer_url": reverse("admin:customers_customer_change", args=[customer.pk]) if customer else "",
            "balances": _balances(obj.pk, setup),
            "pin": step_up.state(obj.pk, setup=setup) if setup.document.pin else None,
            "progress": _progress(obj, setup) if setup.tiers else None,
            "lots": [_named(row, setup) for row in queries.lots(obj.pk, limit=SHOWN_ENTRIES)],
            "entries": _entries(obj.pk, setup),
        }


def _balances(member_id: int, setup: Setup) -> list[dict[str, Any]]:
    rows = queries.balances(member_id, setup=setup, now=now())
    return [{**row, "name": _called(setup, row["wallet"])} for row in rows]


def _progress(member: Member, setup: Setup) -> dict[str, Any]:
    """The way to the next tier, by the tiers' names."""
    found = queries.tier_progress(member, setup=setup, now=now())
    called = {tier.key: localized(tier.name, tier.key) for tier in setup.tiers}
    return {**found, **{key: called.get(found[key], found[key]) for key in ("tier", "next_tier")}}


def _named(row: dict[str, Any], setup: Setup) -> dict[str, Any]:
    """A row of lots or entries with the names of its wallet and of its rule."""
    rule = next((one.document for one in setup.rules if one.document.key == row["rule"]), None)
    called = localized(rule.name, rule.key) if rule else row["rule"]
    return {**row, "wallet": _called(setup, row["wallet"]), "rule": called}


def _entries(member_id: int, setup: Setup) -> list[dict[str, Any]]:
    page = queries.ledger(member_id, limit=SHOWN_ENTRIES)
    return [
        {**_named(row, setup), "source": ACCOUNT_NAMES[row["from"]], "target": ACCOUNT_NAMES[row["to"]]}
        for row in page.rows
    ]


def _decide(approve: bool) -> Any:
    def run(asked: Adjustment, data: dict[str, Any]) -> str:
        member = Member.objects.get(id=asked.member_id)
        operations.decide_adjustment(
            adjustment_id=asked.pk, approve=approve, by=data["by"], setup=_setup_of(member), now=now()
        )
        return gettext("Approved and booked.") if approve else gettext("Rejected; nothing was booked.")

    return run


def _is_open(asked: Adjustment) -> bool:
    return asked.state == Adjustment.State.REQUESTED


@admin.register(Adjustment)
class AdjustmentAdmin(ReadOnlyAdmin):
    list_display = ("id", "member_id", "wallet", "points", "reason", "state", "requested_by", "decided_by")
    list_filter = ("state",)
    list_select_related = ("wallet",)
    ordering = ("-id",)
    panel_template = "admin/program/adjustment.html"
    empty_text = _("No corrections: they are asked for on the page of a member and decided here by somebody else.")
    acts = {
        "approve": Act(_("Approve"), _("Book these points?"), _decide(True), allowed=_is_open),
        "reject": Act(_("Reject"), _("Reject this correction?"), _decide(False), allowed=_is_open, danger=True),
    }

    def panels(self, request: HttpRequest, obj: Adjustment) -> dict[str, Any]:
        return {
            "title": gettext("Correction %(number)s") % {"number": obj.pk},
            "member_url": reverse("admin:program_member_change", args=[obj.member_id]),
        }


@customer_panel(35, permission="program.view_member")
def membership(request: HttpRequest, customer_id: int) -> Panel | None:
    """Points and tier on the page of the customer."""
    members = list(Member.objects.select_related("program", "tier").filter(customer_id=customer_id)[:5])
    if not members:
        return None
    rows = []
    for member in members:
        setup = load(member.program.key)
        rows.append(
            {
                "name": localized(member.program.name, member.program.key),
                "url": reverse("admin:program_member_change", args=[member.pk]),
                "state": member.get_state_display(),
                "tier": localized(member.tier.name, member.tier.key) if member.tier else "",
                "balances": _balances(member.pk, setup),
            }
        )
    return Panel("admin/program/panel.html", {"members": rows})
