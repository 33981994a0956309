"""Templates in the admin: versions, links and source to read, and the message a real customer would get."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from campaigns.channels import words
from campaigns.channels.models import Sender
from campaigns.content import context, preview
from campaigns.content.framing import PARTS, framed, framed_problem
from campaigns.content.models import Template, TemplateVersion
from campaigns.content.render import RenderError
from loyalty.customers import queries as customers
from loyalty.customers.models import Customer
from loyalty.kit.admin import ReadOnlyAdmin, localized
from loyalty.kit.clock import now
from loyalty.kit.object_panels import object_panels
from loyalty.kit.problems import Problem

# Older versions are found by their number in the address.
VERSIONS_SHOWN = 20


class PreviewForm(forms.Form):
    """Whose message is shown, and in which language."""

    customer = forms.CharField(label=_("Customer"), required=False, help_text=_("External id or email"))
    locale = forms.ChoiceField(label=_("Language"), required=False)

    def __init__(self, data: QueryDict, locales: list[str]) -> None:
        super().__init__({"customer": data.get("customer", ""), "locale": data.get("locale", "")})
        self.fields["locale"].choices = [("", gettext("the customer's own")), *((one, one) for one in locales)]  # type: ignore[attr-defined]


@admin.register(Template)
class TemplateAdmin(ReadOnlyAdmin):
    list_display = ("title", "key", "channel_shown", "purpose_shown", "version_number", "locales", "updated_at")
    list_display_links = ("title",)
    list_filter = ("channel", "purpose")
    search_fields = ("key",)
    search_help_text = _("Key")
    ordering = ("key",)
    panel_template = "admin/content/template.html"

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Template]":
        version = TemplateVersion.objects.filter(pk=OuterRef("current_version_id"))
        return super().get_queryset(request).annotate(
            number=Subquery(version.values("number")[:1]), order=Subquery(version.values("source__order")[:1])
        )  # fmt: skip

    @display(description=_("name"), ordering="key")
    def title(self, template: Template) -> str:
        return localized(template.name, template.key)

    @display(description=_("channel"), ordering="channel")
    def channel_shown(self, template: Template) -> str:
        return words.channel(template.channel)

    @display(description=_("purpose"), ordering="purpose")
    def purpose_shown(self, template: Template) -> str:
        return words.purpose(template.purpose)

    @display(description=_("version"))
    def version_number(self, template: Any) -> int | None:
        return template.number

    @display(description=_("languages"))
    def locales(self, template: Any) -> str:
        return ", ".join(template.order or [])

    def panels(self, request: HttpRequest, obj: Template) -> dict[str, Any]:
        recent = list(
            TemplateVersion.objects.filter(template=obj)
            .defer("source", "compiled")
            .order_by("-number")[:VERSIONS_SHOWN]
        )
        version = _version(obj, request.GET.get("version", ""))
        source = version.source if version else {"order": [], "locales": {}}
        may_preview = request.user.has_perm("customers.view_customer")
        customer = _customer(request.GET.get("customer", "")) if may_preview else None
        locale = request.GET.get("locale", "")
        chosen = {"version": version.number if version else "", "customer": customer.pk if customer else ""}
        return {
            "title": localized(obj.name, obj.key),
            "channel": words.channel(obj.channel),
            "purpose": words.purpose(obj.purpose),
            "version": version,
            "versions": recent,
            "is_current": version is not None and version.pk == obj.current_version_id,
            "locales": [(name, source["locales"][name]) for name in source["order"]],
            "links": version.compiled["links"] if version else [],
            "may_preview": may_preview,
            "form": PreviewForm(request.GET, source["order"]),
            "customer": customer,
            "frames": {
                part: reverse("admin:content_template_preview", args=[obj.pk, part])
                + "?"
                + urlencode({**chosen, "locale": locale})
                for part in PARTS
            },
            "object_panels": object_panels(request, obj),
        }

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.preview_view)
        return [
            path("<int:template_id>/preview/<slug:part>/", view, name="content_template_preview"),
            *super().get_urls(),
        ]

    def preview_view(self, request: HttpRequest, template_id: int, part: str) -> HttpResponse:
        """One part of the message that a customer would get now; nothing is sent or stored."""
        if not (self.has_view_permission(request) and request.user.has_perm("customers.view_customer")):
            raise PermissionDenied
        template = Template.objects.filter(pk=template_id).first()
        version = _version(template, request.GET.get("version", "")) if template else None
        if template is None or version is None or part not in PARTS:
            raise Http404
        number = request.GET.get("customer", "")
        customer_id = int(number) if number.isdecimal() and len(number) < 19 else 0
        values = context.contexts([customer_id], now=now(), shared=_shared(template)).get(customer_id)
        if values is None:
            return framed_problem(Problem("", gettext("There is no such customer.")))
        try:
            locale = request.GET.get("locale") or values["customer"].get("locale")
            message = preview.render(version.compiled, values, locale=locale)
        except RenderError as error:
            return framed_problem(error.problem)
        return framed(message, part, [(gettext("Language"), message.locale)])


def _version(template: Template, number: str) -> TemplateVersion | None:
    """The version with that number, else the current one."""
    versions = TemplateVersion.objects.filter(template=template)
    if number.isdecimal() and len(number) < 10:
        return versions.filter(number=int(number)).first()
    return versions.filter(pk=template.current_version_id or 0).first()


def _customer(written: str) -> Customer | None:
    """Who is meant by an external id or an email; without one, the first customer there is."""
    if not written.strip():
        return Customer.objects.order_by("pk").first()
    reference = {"email" if "@" in written else "external_id": written.strip()}
    return Customer.objects.filter(pk=customers.resolve([reference])[0] or 0).first()


def _shared(template: Template) -> dict[str, Any]:
    """What stands in for flow and campaign, and the sender that such messages come from."""
    senders = Sender.objects.filter(channel=template.channel)
    if template.sender_key:
        senders = senders.filter(key=template.sender_key)
    sender = senders.order_by("pk").first()
    if sender is None:
        return context.placeholders()
    values, imprint = context.sender_values(sender.settings)
    return context.placeholders() | {"sender": values, "imprint": imprint}
