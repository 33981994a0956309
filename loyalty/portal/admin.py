"""The portal in the admin: how it presents itself, who asked to come in, who is signed in where."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from loyalty.kit import document_yaml
from loyalty.kit.admin import Act, ReadOnlyAdmin, localized
from loyalty.portal import sessions
from loyalty.portal.models import EntryRequest, Portal, Session

STATES = {"asked": "info", "mailed": "info", "used": "success", "nobody": "warning", "refused": "danger"}


@admin.register(Portal)
class PortalAdmin(ReadOnlyAdmin):
    list_display = ("key", "called", "program", "address", "updated_at")
    list_display_links = ("key",)
    ordering = ("id",)
    panel_template = "admin/portal/portal.html"
    empty_text = _("The portal works without a document; apply one of kind “portal” to give it a name, texts, a color.")

    @display(description=_("name"))
    def called(self, portal: Portal) -> str:
        return localized(portal.definition.get("name"), portal.key)

    @display(description=_("program"))
    def program(self, portal: Portal) -> str:
        return str(portal.definition.get("program") or "–")

    def panels(self, request: HttpRequest, obj: Portal) -> dict[str, Any]:
        return {
            "title": self.called(obj),
            "program": self.program(obj),
            "address": reverse("member-home"),
            "text": document_yaml.write([{"kind": "portal", "key": obj.key, **obj.definition}]),
        }

    @display(description=_("address"))
    def address(self, portal: Portal) -> Any:
        return format_html('<a href="{0}">{0}</a>', reverse("member-home"))


def _person(customer_id: int | None) -> Any:
    if customer_id is None:
        return "–"
    return format_html(
        '<a href="{}">#{}</a>', reverse("admin:customers_customer_change", args=[customer_id]), customer_id
    )


@admin.register(EntryRequest)
class EntryRequestAdmin(ReadOnlyAdmin):
    """Nothing here lets anybody in: of a code there is only a hash."""

    list_display = ("requested_at", "kind", "stands", "person", "tries", "used_at")
    list_filter = ("kind", "state")
    ordering = ("-requested_at",)
    fields = ("kind", "state", "person", "locale", "ip", "user_agent", "tries", "requested_at", "expires_at", "used_at")
    readonly_fields = ("person",)
    empty_text = _("Who joins or signs in at the member portal stands here for some days.")

    @display(description=_("state"), label=STATES)
    def stands(self, one: EntryRequest) -> tuple[str, str]:
        return one.state, str(EntryRequest.State(one.state).label)

    @display(description=_("customer"))
    def person(self, one: EntryRequest) -> Any:
        return _person(one.customer_id)


def _sign_out(session: Session, data: dict[str, Any]) -> str:
    sessions.end(session.pk)
    return gettext("Signed out. The person signs in again by a mailed link.")


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    list_display = ("person", "started_at", "seen_at", "expires_at", "user_agent")
    list_display_links = ("started_at",)
    ordering = ("-started_at",)
    panel_template = "admin/portal/session.html"
    empty_text = _("Nobody is signed in at the member portal.")
    acts = {
        "end": Act(
            _("Sign out"),
            _("The browser is signed out at once, for example because a phone was lost."),
            _sign_out,
            danger=True,
            permission="portal.delete_session",
            after="admin:portal_session_changelist",
        )
    }

    @display(description=_("customer"))
    def person(self, session: Session) -> Any:
        return _person(session.customer_id)

    def panels(self, request: HttpRequest, obj: Session) -> dict[str, Any]:
        return {"title": gettext("Portal session"), "person": _person(obj.customer_id)}
