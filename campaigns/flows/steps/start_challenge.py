"""Let people take up a challenge: `{id: go, type: start_challenge, challenge: three_coffees}`."""

from django.utils.translation import gettext
from pydantic import Field

from campaigns.flows.step import Declared, StepContext, StepParameters, StepType, step_types
from loyalty.kit.problems import Problem
from loyalty.kit.sql import Sql, sql
from loyalty.play import starting
from loyalty.play.models import Challenge


class StartChallengeParameters(StepParameters):
    """The key of the challenge."""

    challenge: str = Field(min_length=1)


@step_types.register("start_challenge")
class StartChallenge(StepType):
    """Begins an attempt for everybody who passes and may begin one; the others just pass."""

    parameters = StartChallengeParameters

    def sentence(self, parameters: StartChallengeParameters) -> str:
        return gettext("Start the challenge “%(challenge)s”.") % {"challenge": parameters.challenge}

    def check(self, parameters: StartChallengeParameters, declared: Declared) -> list[Problem]:
        known = [*Challenge.objects.order_by("key").values_list("key", flat=True)]
        if parameters.challenge in known or parameters.challenge in declared.get("challenge", ()):
            return []
        remedy = f"apply it first; known: {', '.join(known[:10]) or 'none yet'}"
        return [Problem("challenge", f"unknown challenge {parameters.challenge!r}", remedy)]

    def effect(self, parameters: StartChallengeParameters, context: StepContext, name: str, rows: Sql) -> Sql | None:
        challenge = Challenge.objects.filter(key=parameters.challenge).first()
        if challenge is None or not starting.running(challenge, now=context.now):
            return None
        # The control group has no challenge, as it has no message.
        people = sql("SELECT r.customer_id FROM ({rows}) r WHERE NOT r.holdout", rows=rows)
        chosen = starting.beginners(challenge, people, now=context.now)
        return starting.begin_ctes(name, challenge, chosen, now=context.now)
