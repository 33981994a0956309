"""What became of messages: `{message: clicked, flow: winback, within: 30d}`, `{message: converted, goal: order}`."""

from typing import Any, Literal

from django.utils.text import get_text_list
from django.utils.translation import gettext
from pydantic import BaseModel, ConfigDict, field_validator

from campaigns.channels.names import CHANNELS
from campaigns.segments import words
from campaigns.segments.comparisons import Keys, Window
from campaigns.segments.operator import (
    Context,
    Operator,
    Reads,
    Reference,
    Selection,
    conversion_source,
    message_source,
    operators,
)
from loyalty.kit.problems import Problem
from loyalty.kit.sql import Sql, sql

BOUNCED = "message.bounced"
# The fact that says it. A message was received when it was sent and did not come back.
FACTS = {
    "sent": "message.sent",
    "received": "message.sent",
    "delivered": "message.delivered",
    "opened": "message.opened",
    "clicked": "message.clicked",
    "bounced": BOUNCED,
    "complained": "message.complained",
    "unsubscribed": "message.unsubscribed",
    "failed": "message.failed",
}
KINDS = ("flow", "step", "template", "campaign", "goal")


class MessageParameters(BaseModel):
    """What happened, to which messages (all that is given must fit), and how long ago at most."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    message: Literal[
        "sent",
        "received",
        "delivered",
        "opened",
        "clicked",
        "converted",
        "bounced",
        "complained",
        "unsubscribed",
        "failed",
    ]
    flow: Keys = ()
    step: Keys = ()
    template: Keys = ()
    campaign: Keys = ()
    channel: Keys = ()
    goal: Keys = ()
    within: Window = None

    @field_validator("channel")
    @classmethod
    def _channels(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [channel for channel in value if channel not in CHANNELS]
        if unknown:
            raise ValueError(f"unknown channel {unknown[0]!r} (one of {', '.join(CHANNELS)})")
        return value

    @property
    def selection(self) -> Selection:
        """The messages that are meant."""
        return Selection(self.flow, self.step, self.template, self.campaign, self.channel)


@operators.register("message")
class MessageOperator(Operator):
    """Reads the facts of messages; which messages are meant, and conversions, are told by the packages above.

    Conversions are credited some time after their event, so a rule about them looks at everybody again now and then.
    """

    parameters = MessageParameters

    def mistakes(self, parameters: MessageParameters) -> list[Problem]:
        if parameters.goal and parameters.message != "converted":
            remedy = "write message: converted, or remove it"
            return [Problem("goal", f"has no meaning with {parameters.message}", remedy)]
        return []

    def sentence(self, parameters: MessageParameters) -> str:
        main = _deeds()[parameters.message]
        about = [
            _kinds()[kind] % {"keys": words.either(getattr(parameters, kind))}
            for kind in (*KINDS[:4], "channel", "goal")
            if getattr(parameters, kind)
        ]
        if about:
            main = f"{main} ({get_text_list(about, gettext('and'))})"
        return main if parameters.within is None else f"{main} {words.in_the_last(parameters.within)}"

    def condition(self, parameters: MessageParameters, context: Context) -> Sql:
        found = _people(parameters, context, Sql("SELECT x.customer_id"), context.within_scope("x.customer_id"))
        return Sql("FALSE") if found is None else sql("c.id IN ({found})", found=found)

    def value(self, parameters: MessageParameters, context: Context) -> Sql | None:
        latest = Sql("SELECT max(x.occurred_at)::text")
        found = _people(parameters, context, latest, Sql(" AND x.customer_id = c.id"))
        return Sql("NULL::text") if found is None else sql("({found})", found=found)

    def reads(self, parameters: MessageParameters) -> Reads:
        if parameters.message == "converted":
            return Reads(clock=True)
        fact = FACTS[parameters.message]
        names = {fact, BOUNCED} if parameters.message == "received" else {fact}
        windows = () if parameters.within is None else ((fact, parameters.within),)
        return Reads(events=frozenset(names), windows=windows)

    def references(self, parameters: MessageParameters) -> list[Reference]:
        return [Reference(kind, key, kind) for kind in KINDS for key in getattr(parameters, kind)]

    def check(self, parameters: MessageParameters, fields: Any) -> list[Problem]:
        if parameters.message == "converted" and conversion_source() is None:
            return [Problem("message", "conversions are not known here", "install the package that credits them")]
        if not parameters.selection.everything and message_source() is None:
            return [Problem("message", "messages are not known here", "install the package that sends them")]
        return []


def _people(parameters: MessageParameters, context: Context, select: Sql, scope: Sql) -> Sql | None:
    """`select` over the facts or conversions `x` that count; None when there can be none."""
    now = context.clock.instant()
    bounds = sql("x.occurred_at <= {now}::timestamptz", now=now)
    if parameters.within is not None:
        opening = context.clock.opening(parameters.within)
        bounds = sql("{bounds} AND x.occurred_at > {opening}::timestamptz", bounds=bounds, opening=opening)
    if parameters.message == "converted":
        conversions = conversion_source()
        if conversions is None:
            return None
        source = sql("({found}) x WHERE TRUE", found=conversions(parameters.selection, parameters.goal))
    else:
        facts = _facts(parameters, context)
        if facts is None:
            return None
        source = facts
    return sql("{select} FROM {source} AND {bounds}{scope}", select=select, source=source, bounds=bounds, scope=scope)


def _facts(parameters: MessageParameters, context: Context) -> Sql | None:
    type_id = context.type_ids.get(FACTS[parameters.message])
    messages = message_source()
    if type_id is None or (messages is None and not parameters.selection.everything):
        return None
    about = Sql("")
    if messages is not None and not parameters.selection.everything:
        about = sql(" AND {about}", about=messages(Sql("x.ref"), parameters.selection))
    bounced = context.type_ids.get(BOUNCED) if parameters.message == "received" else None
    if bounced is not None:
        about = sql(
            "{about} AND NOT EXISTS (SELECT FROM event b WHERE b.type_id = {bounced} AND b.customer_id = x.customer_id"
            " AND b.ref = x.ref AND b.occurred_at <= {now}::timestamptz{scope})",
            about=about,
            bounced=bounced,
            now=context.clock.instant(),
            scope=context.within_scope("b.customer_id"),
        )
    return sql("event x WHERE x.type_id = {type_id}{about}", type_id=type_id, about=about)


def _deeds() -> dict[str, str]:
    return {
        "sent": gettext("was sent a message"),
        "received": gettext("received a message"),
        "delivered": gettext("had a message delivered"),
        "opened": gettext("opened a message"),
        "clicked": gettext("clicked in a message"),
        "converted": gettext("reached a goal after a message"),
        "bounced": gettext("had a message bounce"),
        "complained": gettext("reported a message as spam"),
        "unsubscribed": gettext("unsubscribed in a message"),
        "failed": gettext("had a message fail"),
    }


def _kinds() -> dict[str, str]:
    return {
        "flow": gettext("flow %(keys)s"),
        "step": gettext("step %(keys)s"),
        "template": gettext("template %(keys)s"),
        "campaign": gettext("campaign %(keys)s"),
        "channel": gettext("channel %(keys)s"),
        "goal": gettext("goal %(keys)s"),
    }
