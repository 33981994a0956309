"""Send one message: plan it into the outbox, where the guards judge it."""

from typing import Any

from django.utils.translation import gettext
from pydantic import Field, field_validator

from campaigns.channels.models import Sender
from campaigns.channels.names import CHANNELS
from campaigns.content.models import Template
from campaigns.delivery import plan
from campaigns.flows.step import Declared, StepContext, StepParameters, StepType, step_types
from loyalty.kit.problems import Problem
from loyalty.kit.sql import Sql

ALL = "all"


class SendParameters(StepParameters):
    """`to` is the channel of the template unless said: channels in order of preference, or `all`. A template speaks one
    channel, which must be among them. `sender` is the channel's only sender unless said.
    """

    template: str = Field(min_length=1)
    to: list[str] = Field(default_factory=list)
    sender: str | None = None

    @field_validator("to", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


@step_types.register("send")
class Send(StepType):
    """Writes one planned (or, if a guard refuses, skipped) message per person."""

    parameters = SendParameters

    def sentence(self, parameters: SendParameters) -> str:
        return gettext("Send the message “%(template)s”.") % {"template": parameters.template}

    def check(self, parameters: SendParameters, declared: Declared) -> list[Problem]:
        problems = []
        template = Template.objects.filter(key=parameters.template).first()
        if template is None and parameters.template not in declared.get("template", ()):
            known = ", ".join(Template.objects.order_by("key").values_list("key", flat=True)[:10]) or "none yet"
            problems.append(
                Problem("template", f"unknown template {parameters.template!r}", f"apply it first; known: {known}")
            )
        unknown = [channel for channel in parameters.to if channel not in (*CHANNELS, ALL)]
        for channel in unknown:
            problems.append(Problem("to", f"unknown channel {channel!r}", f"{ALL}, or some of {', '.join(CHANNELS)}"))
        if template is not None and parameters.to and not unknown and not {template.channel, ALL} & {*parameters.to}:
            wanted = ", ".join(parameters.to)
            remedy = f"the template {template.key!r} is for {template.channel}"
            problems.append(Problem("to", f"there is no template for {wanted} here", remedy))
        if template is not None:
            problems += self._check_sender(parameters, template, declared)
        return problems

    def _check_sender(self, parameters: SendParameters, template: Template, declared: Declared) -> list[Problem]:
        key = parameters.sender or template.sender_key
        senders = list(Sender.objects.filter(channel=template.channel).order_by("key").values_list("key", flat=True))
        if declared.get("sender", set()) - set(senders):
            return []
        if key is not None and key not in senders:
            remedy = f"known for {template.channel}: {', '.join(senders) or 'none; apply a sender first'}"
            return [Problem("sender", f"unknown sender {key!r}", remedy)]
        # Without any sender a flow can be kept but not published.
        if key is None and len(senders) > 1:
            return [Problem("sender", "several senders could send this", f"name one of {', '.join(senders)}")]
        return []

    def effect(self, parameters: SendParameters, context: StepContext, name: str, rows: Sql) -> Sql | None:
        return plan.plan_ctes(name, context.dispatches[context.node], rows, context.now)
