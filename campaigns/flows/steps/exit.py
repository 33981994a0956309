"""Leave the flow here."""

from django.utils.translation import gettext

from campaigns.flows.step import StepParameters, StepType, step_types


class ExitParameters(StepParameters):
    """`reason` is shown in the log."""

    reason: str = ""


@step_types.register("exit")
class Exit(StepType):
    """Ends the enrollment as `exited`; unlike reaching the end, which is `finished`."""

    parameters = ExitParameters
    terminal = True

    def exits(self, parameters: ExitParameters) -> tuple[str, ...]:
        return ()

    def sentence(self, parameters: ExitParameters) -> str:
        if parameters.reason:
            return gettext("Leave the flow: %(reason)s.") % {"reason": parameters.reason}
        return gettext("Leave the flow.")
