"""What readers did with a message, on its page; what a person chose, on theirs."""

from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns.delivery.links import preferences_token
from campaigns.delivery.models import Message
from campaigns.tracking.history import chosen
from campaigns.tracking.models import Hit
from loyalty.consent import choices, existing, optin, topics
from loyalty.consent.models import ConsentAge, ConsentState
from loyalty.consent.words import channel_name
from loyalty.kit.admin import localized
from loyalty.kit.clock import now
from loyalty.kit.object_panels import object_panel
from loyalty.kit.panels import Panel, customer_panel

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


@customer_panel(11, permission="consent.view_consententry")
def own_choices(request: HttpRequest, customer_id: int) -> Panel:
    """Topics, break, frequency, double opt-ins, bases of an existing customer, and whether the person is silent."""
    held = choices.current(customer_id)
    states = ConsentState.objects.filter(customer_id=customer_id, purpose="marketing", status="granted")
    since = dict(states.values_list("channel", "since"))
    silent = [
        {"channel_name": channel_name(one.channel), "sign_at": one.sign_at, "blocked_at": one.blocked_at}
        for one in ConsentAge.objects.filter(customer_id=customer_id).order_by("channel")
        # A newer consent has ended it, though the daily look has not come by yet.
        if one.channel in since and since[one.channel] <= (one.blocked_at or one.warned_at)
    ]
    bases = [one | {"channel_name": channel_name(one["channel"])} for one in existing.bases_of(customer_id)]
    may_open = request.user.has_perm("consent.add_consententry")
    context = {
        "rows": _held(held),
        "silent": silent,
        "bases": bases,
        "is_on": existing.is_on(),
        "requests": optin.requests_of(customer_id)[:10],
        "may_see": request.user.has_perm("consent.view_optinrequest"),
        "history": chosen(customer_id),
        "page_url": f"/p/{preferences_token(customer_id)}" if may_open else "",
    }
    return Panel("admin/tracking/choices.html", context)


def _held(held: choices.Choices) -> list[tuple[str, str]]:
    rows = []
    off = [key for key, wanted in held.topics.items() if not wanted]
    if off:
        names = {topic.key: localized(topic.name, topic.key) for topic in topics.offered()}
        rows.append((gettext("Topics switched off"), ", ".join(sorted(names.get(key, key) for key in off))))
    if held.paused_until and held.paused_until > now():
        rows.append((gettext("Break until"), str(date_format(localtime(held.paused_until), "DATE_FORMAT"))))
    if wish := held.frequency:
        said = gettext("%(n)s a week") if wish.per == "week" else gettext("%(n)s a month")
        rows.append((gettext("Advertising at most"), said % {"n": wish.at_most}))
    return rows
