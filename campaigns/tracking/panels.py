"""What readers did with a message, on its page."""

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from campaigns.delivery.models import Message
from campaigns.tracking.models import Hit
from loyalty.kit.object_panels import object_panel
from loyalty.kit.panels import Panel

SHOWN = 50
WHO = {True: (_("a program"), "warn"), False: (_("a person"), "good"), None: (_("not judged yet"), "")}


@object_panel("delivery.message", 10, permission="tracking.view_hit")
def hits(request: HttpRequest, message: Message) -> Panel | None:
    """Every hit as it came, those of programs too; nothing for a message that never left."""
    if message.started_at is None:
        return None
    found = Hit.objects.filter(message_id=message.pk).order_by("at", "id")[:SHOWN]
    rows = [{"hit": hit, "who": WHO[hit.machine][0], "tag": WHO[hit.machine][1]} for hit in found]
    return Panel("admin/tracking/message_hits.html", {"rows": rows}, wide=True)
