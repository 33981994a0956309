"""Senders in the admin: who messages come from, how they leave, and the buttons pause and resume."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from pydantic import ValidationError
from unfold.decorators import display

from campaigns.channels import operations, words
from campaigns.channels.models import Sender
from campaigns.channels.provider import providers
from loyalty.kit.admin import Act, ReadOnlyAdmin
from loyalty.kit.clock import now
from loyalty.kit.object_panels import object_panels
from loyalty.kit.registry import UnknownPart

COLORS = {"active": "success", "paused": "warning"}
LABELS = {
    "host": _("Mail server"),
    "port": _("Port"),
    "security": _("Encryption"),
    "verify_certificate": _("Certificate is checked"),
    "username": _("User name"),
    "password_env": _("Variable with the password"),
    "from_email": _("From address"),
    "from_name": _("From name"),
    "reply_to": _("Reply to"),
    "return_path": _("Bounces go to"),
    "imprint": _("Imprint"),
    "connections": _("Connections"),
    "timeout": _("Seconds a message may take"),
}
# Names under which a secret might stand, whatever a provider of other people calls it. `..._env` names a variable.
_SECRETS = ("password", "secret", "token", "key", "auth", "credential")


def _pause(sender: Sender, data: dict[str, Any]) -> str:
    operations.set_sender_state(key=sender.key, state=Sender.State.PAUSED, now=now())
    return gettext("The sender is paused. Its messages wait.")


def _resume(sender: Sender, data: dict[str, Any]) -> str:
    operations.set_sender_state(key=sender.key, state=Sender.State.ACTIVE, now=now())
    return gettext("The sender is active again. Messages that waited go out now.")


@admin.register(Sender)
class SenderAdmin(ReadOnlyAdmin):
    list_display = ("key", "channel_shown", "provider", "origin", "state_label", "updated_at")
    list_filter = ("channel", "state")
    search_fields = ("key",)
    search_help_text = _("Key")
    ordering = ("key",)
    panel_template = "admin/channels/sender.html"
    acts = {
        "pause": Act(
            _("Pause"),
            _(
                "Nothing of this sender leaves any more, in any flow."
                " Messages are kept and go out when it is active again."
            ),
            _pause,
            allowed=lambda sender: sender.state == Sender.State.ACTIVE,
        ),
        "resume": Act(
            _("Resume"),
            _("Messages that waited are judged by all gates again and go out at once, as fast as the limit allows."),
            _resume,
            allowed=lambda sender: sender.state == Sender.State.PAUSED,
        ),
    }

    @display(description=_("channel"), ordering="channel")
    def channel_shown(self, sender: Sender) -> str:
        return words.channel(sender.channel)

    @display(description=_("from"))
    def origin(self, sender: Sender) -> str:
        return str(sender.settings.get("from_email") or sender.settings.get("from_name") or "–")

    @display(description=_("state"), ordering="state", label=COLORS)
    def state_label(self, sender: Sender) -> tuple[str, str]:
        return sender.state, sender.get_state_display()

    def panels(self, request: HttpRequest, obj: Sender) -> dict[str, Any]:
        settings, trouble = _settings(obj)
        limit = obj.limits.get("per_second")
        return {
            "title": obj.key,
            "channel": words.channel(obj.channel),
            "settings": settings,
            "trouble": trouble,
            "limit": limit,
            "object_panels": object_panels(request, obj),
        }


def _settings(sender: Sender) -> tuple[list[tuple[str, str, bool]], str]:
    """Each setting that applies as (label, value, is the default), and what is wrong with them; no secrets."""
    try:
        shape = providers.get(sender.provider).settings
        complete = shape.model_validate(sender.settings).model_dump(mode="json")
        trouble = ""
    except UnknownPart as error:
        complete, trouble = dict(sender.settings), str(error)
    except ValidationError as error:
        complete = dict(sender.settings)
        trouble = "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors())
    rows = []
    for name, value in complete.items():
        if value in (None, ""):
            continue
        shown = gettext("set, not shown") if _is_secret(name) else _text(value)
        rows.append((str(LABELS.get(name, name.replace("_", " "))), shown, name not in sender.settings))
    return rows, trouble


def _is_secret(name: str) -> bool:
    return not name.endswith("_env") and any(word in name.lower() for word in _SECRETS)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    return str(value)
