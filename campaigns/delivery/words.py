"""What gates, outcomes and facts of messages mean, in a sentence of the active language.

A gate that stands in no table here is shown by its key and its facts, so a new one needs no change.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

REASONS = {
    "no_address": _("no address"),
    "no_consent": _("no consent"),
    "suppressed": _("address suppressed"),
    "frequency_cap": _("too many messages"),
    "quiet_time_expired": _("quiet time lasted too long"),
    "holdout": _("held out"),
    "exited": _("left the flow"),
    "flow_stopped": _("flow stopped"),
    "expired": _("too late"),
    "render_error": _("could not be rendered"),
    "duplicate_address": _("same address as another person"),
    "sender_paused": _("sender paused"),
    "budget_spent": _("budget spent"),
    "not_approved": _("not approved"),
    "flow_paused": _("flow paused"),
}
GATES = {
    "dispatch_state": _("Flow"),
    "exit": _("Exit events"),
    "holdout": _("Control group"),
    "address": _("Address"),
    "suppression": _("Suppressions"),
    "consent": _("Consent"),
    "preference_topic": _("Topics"),
    "preference_pause": _("Pause"),
    "frequency_cap": _("Frequency"),
    "sender_state": _("Sender"),
    "resolution": _("Decision"),
    "render": _("Rendering"),
    "batch": _("Hand-over"),
    "resume": _("Resumed flow"),
}
_PASSED = {
    "dispatch_state": _("The flow was running."),
    "exit": _("No exit event since the person entered."),
    "holdout": _("The person is not in the control group."),
    "address": _("There is an address for this channel."),
    "suppression": _("The address is not suppressed."),
    "consent": _("Consent allows this purpose on this channel."),
    "preference_topic": _("The person has not switched off the topic."),
    "preference_pause": _("The person has not asked for a pause."),
    "frequency_cap": _("The person's wish for how often is kept."),
    "sender_state": _("The sender was active."),
}
_STOPPED = {
    "flow_stopped": _("The flow was stopped, so nothing more goes out."),
    "flow_paused": _("The flow is paused; the message waits until it is resumed."),
    "exited": _("An exit event came after the person had entered the flow."),
    "holdout": _("The person is in the control group: measured, but sent nothing."),
    "no_address": _("The person has no address for this channel."),
    "suppressed": _("The address is on the suppression list."),
    "no_consent": _("The person has not consented to this purpose on this channel."),
    "sender_paused": _("The sender is paused; the message waits until it is active again."),
    "expired": _("The message was due too long ago to be of use when the flow was resumed."),
    "render_error": _("The template could not be filled with this person's data."),
    "sent": _("A person decided that it was sent."),
    "send_again": _("A person decided to send it again."),
    "give_up": _("A person decided to give it up."),
}
# What a gate means where its code says less.
_STOPPED_BY = {
    "preference_topic": _("The person has switched off this topic."),
    "preference_pause": _("The person has asked for a pause."),
    "frequency_cap": _("The person wants no more messages than this in the time."),
}
_SUPPRESSED_FOR = {
    "hard_bounce": _("address does not exist"),
    "complaint": _("reported as spam"),
    "unsubscribed": _("unsubscribed"),
    "manual": _("by hand"),
}
_FACTS = {
    "by": _("decided by"),
    "note": _("note"),
    "since": _("since"),
    "status": _("consent"),
    "reason": _("because"),
    "entered_at": _("entered"),
    "due_at": _("was due"),
    "oldest": _("oldest still sent"),
    "part": _("part"),
    "problem": _("problem"),
    "url": _("address"),
    "code": _("code"),
    "resolved": _("by a person's decision"),
    "topic": _("topic"),
    "until": _("until"),
    "at_most": _("at most"),
    "per": _("per"),
    "sent": _("sent in that time"),
    "aged": _("silent for too long"),
    "last_sign": _("last sign of life"),
    "basis": _("basis"),
    "product_group": _("product group"),
}
_CONSENTS = {"granted": _("granted"), "withdrawn": _("withdrawn")}
OUTCOMES = {
    "sent": (_("accepted"), "good"),
    "retry": (_("to be tried again"), "warn"),
    "failed": (_("refused for good"), "bad"),
    "in_doubt": (_("in doubt"), "warn"),
}
EVENTS = {
    "message.sent": _("Sent"),
    "message.failed": _("Failed"),
    "message.delivered": _("Delivered"),
    "message.bounced": _("Bounced"),
    "message.complained": _("Reported as spam"),
    "message.opened": _("Opened"),
    "message.clicked": _("Link clicked"),
    "message.unsubscribed": _("Unsubscribed"),
}


def reason(code: str | None) -> str:
    """A reason code in words; the code itself when it is unknown."""
    return str(REASONS.get(code, code)) if code else ""


def gate(key: str) -> str:
    """A gate by name."""
    return str(GATES.get(key) or key.replace("_", " ").capitalize())


def sentence(item: Mapping[str, Any]) -> str:
    """What a gate of the passport (`delivery.queries.passport`) found."""
    verdict = item.get("verdict")
    if verdict == "not_asked":
        return gettext("Not asked: an earlier gate had decided.")
    if verdict == "passed":
        return str(_PASSED.get(item["gate"], gettext("Let the message through.")))
    if item["gate"] == "consent" and item.get("facts", {}).get("aged"):
        return gettext("The person has not been heard of for too long; the consent has to be given anew.")
    by_gate = _STOPPED_BY.get(str(item["gate"]))
    return str(by_gate or _STOPPED.get(item["code"]) or reason(item["code"]))


def facts(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was judged on, as labels and values; what is not known is left out, and so is the channel, which is told
    once for the whole message."""
    rows = []
    for key, value in found.items():
        if value in (None, "", [], {}) or key == "channel":
            continue
        rows.append((str(_FACTS.get(key, key.replace("_", " "))), _value(key, value)))
    return rows


def _value(key: str, value: Any) -> str:
    if key == "status":
        return str(_CONSENTS.get(value, value))
    if key == "reason":
        return str(_SUPPRESSED_FOR.get(value, value))
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    moment = value if isinstance(value, datetime) else _moment(value)
    return date_format(localtime(moment), "DATETIME_FORMAT") if moment else str(value)


def _moment(value: Any) -> datetime | None:
    try:
        found = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo else None
