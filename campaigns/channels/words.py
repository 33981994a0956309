"""Channels and purposes as people call them, in the active language."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

CHANNELS = {
    "email": pgettext_lazy("channel", "Email"),
    "sms": _("SMS"),
    "whatsapp": _("WhatsApp"),
    "telegram": _("Telegram"),
    "push": _("Push"),
    "letter": pgettext_lazy("channel", "Letter"),
    "webhook": _("Webhook"),
}
PURPOSES = {"marketing": _("marketing"), "service": _("service"), "transactional": _("transactional")}


def channel(key: str) -> str:
    """The channel's name; the key itself when it is unknown."""
    return str(CHANNELS.get(key, key))


def purpose(key: str) -> str:
    """The purpose's name; the key itself when it is unknown."""
    return str(PURPOSES.get(key, key))
