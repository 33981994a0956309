"""Wait until something happens to the person, at most until the timeout."""

from typing import Any

from django.utils.translation import gettext
from pydantic import Field, field_validator

from campaigns.flows.moments import elapsed_or_calendar
from campaigns.flows.step import Declared, StepContext, StepParameters, StepType, Wake, step_types
from campaigns.segments import properties
from loyalty.kit.periods import Period
from loyalty.kit.problems import Problem
from loyalty.kit.sql import Sql


class WaitForEventParameters(StepParameters):
    """`of` narrows message events to the message of one send step; the timeout is mandatory."""

    event: str = Field(min_length=1)
    where: dict[str, Any] = Field(default_factory=dict)
    of: str | None = None
    timeout: str

    @field_validator("timeout")
    @classmethod
    def _period(cls, value: str) -> str:
        Period.parse(value)
        return value


@step_types.register("wait_for_event")
class WaitForEvent(StepType):
    """Two exits: `happened` the moment the event is known, `timeout` when time is up and the timeline has no" " such
    event.
    """

    parameters = WaitForEventParameters
    rests = True

    def exits(self, parameters: WaitForEventParameters) -> tuple[str, ...]:
        return ("happened", "timeout")

    def exit_label(self, parameters: WaitForEventParameters, name: str) -> str:
        return {"happened": gettext("happened"), "timeout": gettext("time is up")}.get(name, name)

    def sentence(self, parameters: WaitForEventParameters) -> str:
        return gettext("Wait until “%(event)s” happens, at most %(timeout)s.") % {
            "event": parameters.event,
            "timeout": parameters.timeout,
        }

    def check(self, parameters: WaitForEventParameters, declared: Declared) -> list[Problem]:
        return properties.check(parameters.where, "where")

    def due(self, parameters: WaitForEventParameters, context: StepContext) -> Sql:
        return elapsed_or_calendar(parameters.timeout, context.now)

    def needs_customer(self, parameters: WaitForEventParameters) -> bool:
        return not Period.parse(parameters.timeout).elapsed

    def wake(self, parameters: WaitForEventParameters) -> Wake | None:
        return Wake(parameters.event, parameters.where, parameters.of)
