"""What the outbox shows on the pages of customers, senders and templates."""

from typing import Any

from django.http import HttpRequest
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _

from campaigns.channels.models import Sender
from campaigns.channels.words import channel
from campaigns.content.models import Template, TemplateVersion
from campaigns.delivery import queries, tallies, words
from campaigns.delivery.models import Dispatch, State
from loyalty.kit.clock import now
from loyalty.kit.object_panels import object_panel
from loyalty.kit.panels import Panel, customer_panel

SHOWN = 10
_TAGS = {"sent": "good", "failed": "bad", "in_doubt": "warn"}
_COUNTED = (("sent", _("accepted")), ("retry", _("to be tried again")), ("failed", _("refused for good")))
_DOUBTED = ("in_doubt", _("in doubt"))


@customer_panel(40, permission="delivery.view_message")
def messages(request: HttpRequest, customer_id: int) -> Panel:
    """The person's newest messages, each linked to its passport."""
    found = queries.messages_of(customer_id, limit=SHOWN + 1)
    labels = {state.name.lower(): state.label for state in State}
    rows = [
        row
        | {
            "channel": channel(row["channel"]),
            "label": labels[row["state"]],
            "tag": _TAGS.get(row["state"], ""),
            "why": words.reason(row["reason"]),
        }
        for row in found[:SHOWN]
    ]
    return Panel("admin/delivery/customer_messages.html", {"messages": rows, "more": len(found) > SHOWN}, wide=True)


@object_panel("channels.sender", 10, permission="delivery.view_message")
def today(request: HttpRequest, sender: Sender) -> Panel:
    """What the sender handed over since midnight."""
    midnight = localtime(now()).replace(hour=0, minute=0, second=0, microsecond=0)
    counted = tallies.handed_over(sender.pk, since=midnight)
    cards = [(label, counted.outcomes.get(name, 0)) for name, label in (*_COUNTED, _DOUBTED)]
    return Panel("admin/delivery/sender_today.html", {"cards": cards, "more": counted.more})


@object_panel("content.template", 10, permission="delivery.view_message")
def used_by(request: HttpRequest, template: Template) -> Panel:
    """The send steps that use the template, newest first."""
    versions = dict(TemplateVersion.objects.filter(template=template).values_list("id", "number"))
    found = (
        Dispatch.objects.select_related("sender").filter(template_version_id__in=list(versions)).order_by("-id")[:SHOWN]
    )
    rows: list[dict[str, Any]] = [
        {"dispatch": dispatch, "version": versions[dispatch.template_version_id]} for dispatch in found
    ]
    return Panel("admin/delivery/template_used.html", {"rows": rows})
