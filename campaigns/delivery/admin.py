"""Messages in the admin: found by id or person, each with its passport, and what can be done about one in doubt."""

import json
from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.views import ChangeList

from campaigns.channels import words as channel_words
from campaigns.channels.names import BY_NUMBER
from campaigns.content.framing import PARTS, framed, framed_problem
from campaigns.content.render import RenderError
from campaigns.delivery import operations, queries, words
from campaigns.delivery.models import Dispatch, Message, State
from campaigns.delivery.reasons import CODES, code
from campaigns.delivery.showing import shown
from loyalty.customers import queries as customers
from loyalty.customers.models import Customer
from loyalty.kit.admin import Act, LargeTablePaginator, ReadOnlyAdmin
from loyalty.kit.clock import now
from loyalty.kit.object_panels import object_panels

LARGEST_ID = 2**63 - 1
COLORS = {
    "planned": "info",
    "claimed": "info",
    "started": "info",
    "sent": "success",
    "failed": "danger",
    "in_doubt": "warning",
    "skipped": "",
}
TAGS = {"sent": "good", "failed": "bad", "in_doubt": "warn"}
VERDICTS = {
    "passed": (_("passed"), "good"),
    "refused": (_("refused"), "bad"),
    "delayed": (_("waits"), "warn"),
    "not_asked": (_("not asked"), ""),
}


class MessagePaginator(LargeTablePaginator):
    """Counts what is filtered exactly up to a bound, beyond it by the planner's estimate.

    Few messages are fetched by the ids that were counted, so that a rare state or reason reads the table once. Pages
    end at MOST_PAGES: skipping 3 million rows takes a second, and nobody looks for a message that way.
    """

    EXACT = 5_000
    MOST_PAGES = 1_000

    @cached_property
    def count(self) -> int:
        found = getattr(self.object_list, "query", None)
        if found is None or not found.where:
            return int(super().count)
        ids = self.object_list.order_by().values_list("pk", flat=True)  # type: ignore[attr-defined]
        some = list(ids[: self.EXACT])
        if len(some) < self.EXACT:
            self.object_list = self.object_list.filter(pk__in=some)  # type: ignore[attr-defined]
            return len(some)
        return max(self.EXACT, int(json.loads(ids.explain(format="json"))[0]["Plan"]["Plan Rows"]))

    @cached_property
    def num_pages(self) -> int:
        return min(int(super().num_pages), self.MOST_PAGES)


class MessageList(ChangeList):  # type: ignore[misc]
    """A single page, too, comes from the paginator, which may know the ids."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.multi_page:
            self.result_list = self.paginator.object_list


class ReasonFilter(admin.SimpleListFilter):
    title = _("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(number), words.reason(name)) for number, name in enumerate(CODES, start=1)]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Message]") -> "QuerySet[Message]":
        value = self.value()
        return queryset.filter(reason=int(value)) if value and value.isdecimal() and len(value) < 3 else queryset


def _of_dispatches(queryset: "QuerySet[Message]", **wanted: Any) -> "QuerySet[Message]":
    """By the numbers of the dispatches, which the planner has statistics of."""
    return queryset.filter(dispatch_id__in=list(Dispatch.objects.filter(**wanted).values_list("id", flat=True)))


class ChannelFilter(admin.SimpleListFilter):
    title = _("channel")
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(number), channel_words.channel(name)) for number, name in BY_NUMBER.items()]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Message]") -> "QuerySet[Message]":
        value = self.value() or ""
        name = BY_NUMBER.get(int(value)) if value.isdecimal() and len(value) < 2 else None
        return _of_dispatches(queryset, channel=name) if name else queryset


class FlowFilter(admin.SimpleListFilter):
    title = _("flow")
    parameter_name = "flow"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        keys = (
            Dispatch.objects.exclude(flow_key=None).order_by("flow_key").values_list("flow_key", flat=True).distinct()
        )
        return [(str(key), str(key)) for key in keys]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Message]") -> "QuerySet[Message]":
        return _of_dispatches(queryset, flow_key=self.value()) if self.value() else queryset


class NoteForm(forms.Form):
    """Why it was decided so; it stays with the message."""

    note = forms.CharField(
        label=_("How do you know?"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("For example what the provider's log says. It stays with the message, with your name."),
    )


def _resolve(message: Message, data: dict[str, Any], decision: str, done: str) -> str:
    resolved = operations.resolve_in_doubt(
        message_ids=[message.pk], decision=decision, who=data["by"], note=data["note"], now=now()
    )
    return done if resolved.resolved else gettext("Somebody else had decided about this message already.")


def _mark_sent(message: Message, data: dict[str, Any]) -> str:
    return _resolve(message, data, "sent", gettext("The message counts as sent."))


def _send_again(message: Message, data: dict[str, Any]) -> str:
    return _resolve(message, data, "send_again", gettext("The message is planned again and passes every gate anew."))


def _give_up(message: Message, data: dict[str, Any]) -> str:
    return _resolve(message, data, "give_up", gettext("The message counts as failed."))


def _in_doubt(message: Message) -> bool:
    return message.state == State.IN_DOUBT


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = ("id", "person", "sent_by", "channel_name", "state_label", "reason_name", "planned_at", "settled_at")
    list_filter = ("state", ReasonFilter, ChannelFilter, FlowFilter)
    list_select_related = ("dispatch",)
    search_fields = ("id",)
    search_help_text = _("Message id, or a person's external id or email; their beginnings will do")
    # By the primary key: the newest enrollments first. Any other order would sort millions of rows.
    ordering = ("-id",)
    sortable_by: Sequence[str] = ()
    show_facets = admin.ShowFacets.NEVER
    paginator = MessagePaginator
    panel_template = "admin/delivery/message.html"
    acts = {
        "mark_sent": Act(
            _("Mark as sent"),
            _(
                "Choose this when the provider's log shows that it took the message. It counts as sent from then on and"
                " is never sent again."
            ),
            _mark_sent,
            allowed=_in_doubt,
            form=NoteForm,
        ),
        "send_again": Act(
            _("Send again"),
            _(
                "Choose this only when the provider's log shows that it did not take the message. If it did, the person"
                " gets it twice: nothing can prevent that. All gates are asked again before it goes out."
            ),
            _send_again,
            allowed=_in_doubt,
            danger=True,
            form=NoteForm,
        ),
        "give_up": Act(
            _("Give up"),
            _("The message counts as failed and is never sent. The person may have got it all the same."),
            _give_up,
            allowed=_in_doubt,
            form=NoteForm,
        ),
    }

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return MessageList

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Message]":
        person = Customer.objects.filter(pk=OuterRef("customer_id"))
        return super().get_queryset(request).annotate(
            who=Subquery(person.values(name=Coalesce("external_id", "email"))[:1])
        )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Message]", search_term: str
    ) -> tuple["QuerySet[Message]", bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(customer_id__in=customers.find(term))
        if term.isascii() and term.isdecimal() and len(term) < 20 and int(term) <= LARGEST_ID:
            wanted |= Q(pk=int(term))
        return queryset.filter(wanted), False

    @display(description=_("person"))
    def person(self, message: Any) -> str:
        return message.who or f"#{message.customer_id}"

    @display(description=_("flow and step"))
    def sent_by(self, message: Message) -> str:
        return f"{message.dispatch.flow_key or '–'} / {message.dispatch.step}"

    @display(description=_("channel"))
    def channel_name(self, message: Message) -> str:
        return channel_words.channel(BY_NUMBER.get(message.channel, str(message.channel)))

    @display(description=_("state"), label=COLORS)
    def state_label(self, message: Message) -> tuple[str, str]:
        return State(message.state).name.lower(), message.get_state_display()

    @display(description=_("reason"))
    def reason_name(self, message: Message) -> str:
        return words.reason(code(message.reason))

    def panels(self, request: HttpRequest, obj: Message) -> dict[str, Any]:
        passport = queries.passport(obj.pk)
        assert passport is not None  # noqa: S101 - `obj` has just been read
        may_read = request.user.has_perm("customers.view_customer")
        return {
            "title": gettext("Message %(id)s") % {"id": obj.pk},
            "passport": passport,
            "state": obj.get_state_display(),
            "state_tag": TAGS.get(passport["state"], ""),
            "channel": channel_words.channel(passport["channel"]),
            "purpose": channel_words.purpose(passport["purpose"]),
            "in_doubt": _in_doubt(obj),
            "reason": words.reason(passport["reason"]),
            "gates": [_gate(item) for item in passport["gates"]],
            "notes": [_gate(item) for item in passport["notes"]],
            "attempts": [_attempt(item) for item in passport["attempts"]],
            "events": [_event(item) for item in passport["facts"]],
            "customer_url": reverse("admin:customers_customer_change", args=[obj.customer_id]) if may_read else "",
            "flow_id": obj.dispatch.flow_id,
            "may_read": may_read,
            "frames": {part: reverse("admin:delivery_message_preview", args=[obj.pk, part]) for part in PARTS},
            "object_panels": object_panels(request, obj),
        }

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.preview_view)
        return [
            path("<int:message_id>/preview/<slug:part>/", view, name="delivery_message_preview"),
            *super().get_urls(),
        ]

    def preview_view(self, request: HttpRequest, message_id: int, part: str) -> HttpResponse:
        """One part of the message, to be framed."""
        if not (self.has_view_permission(request) and request.user.has_perm("customers.view_customer")):
            raise PermissionDenied
        message = Message.objects.filter(pk=message_id).first() if message_id <= LARGEST_ID else None
        if message is None or part not in PARTS:
            raise Http404
        try:
            made, headers = shown(message)
        except RenderError as error:
            return framed_problem(error.problem)
        return framed(made, part, headers)


def _gate(item: dict[str, Any]) -> dict[str, Any]:
    """A gate or a note of the passport in words."""
    label, tag = VERDICTS.get(item.get("verdict", ""), ("", ""))
    return {
        "name": words.gate(item["gate"]),
        "verdict": label,
        "tag": tag,
        "quiet": item.get("verdict") == "not_asked",
        "code": item["code"],
        "sentence": words.sentence(item),
        "facts": words.facts(item["facts"]),
        "at": item.get("at") or item.get("judged_at"),
    }


def _attempt(item: dict[str, Any]) -> dict[str, Any]:
    label, tag = words.OUTCOMES.get(item["outcome"], (_("under way"), ""))
    return item | {"label": label, "tag": tag}


def _event(item: dict[str, Any]) -> dict[str, Any]:
    """An event about the message; what the page says anyway is left out of its properties."""
    told = {name: value for name, value in item["properties"].items() if name not in _TOLD}
    return {"name": words.EVENTS.get(item["name"], item["name"]), "at": item["at"], "facts": words.facts(told)}


_TOLD = frozenset({"flow", "step", "channel", "campaign", "link"})
