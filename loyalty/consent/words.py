"""What channels, reasons and choices are called, in the active language."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from loyalty.consent.models import CHANNELS

CHANNEL_NAMES = {
    "email": _("Email"),
    "sms": _("SMS"),
    "whatsapp": _("WhatsApp"),
    "telegram": _("Telegram"),
    "push": _("Push"),
    "letter": pgettext_lazy("channel", "Letter"),
    "phone": pgettext_lazy("channel", "Phone"),
    "webhook": _("Webhook"),
}
CHANNEL_CHOICES = [(channel, CHANNEL_NAMES[channel]) for channel in CHANNELS]
REASON_NAMES = {
    "unsubscribed": _("unsubscribed"),
    "hard_bounce": _("address does not exist"),
    "complaint": _("reported as spam"),
    "manual": _("by hand"),
    "withdrawn": _("withdrawn"),
    "imported": _("imported list"),
}


def channel_name(channel: str) -> str:
    return str(CHANNEL_NAMES.get(channel, channel))
