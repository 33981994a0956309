"""A flow starts a challenge for those who pass, but not for the control group, and not twice."""

import pytest

from campaigns.flows.step import StepContext, step_types
from loyalty.events import partitions
from loyalty.kit.sql import fetch, sql
from loyalty.play.models import ChallengeRun
from tests.db.loyalty.play.fair import NOW, applied, days, followed, happened, member

pytestmark = pytest.mark.django_db
CHALLENGE = {"kind": "challenge", "key": "two", "event": "visit", "target": 2, "join": "explicit", "window": "7d"}


def test_the_step() -> None:
    applied(CHALLENGE)
    anna, ben, carl = member("anna"), member("ben"), member("carl", joined=False)
    step = step_types.get("start_challenge")
    parameters = step.parameters(id="go", type="start_challenge", challenge="two")
    assert step.check(parameters, {}) == []
    assert step.sentence(parameters) == "Start the challenge “two”."
    rows = sql(
        "SELECT 1::bigint AS enrollment_id, p.id AS customer_id, 1 AS visit, {now}::timestamptz AS entered_at,"
        " p.held AS holdout FROM unnest({ids}::bigint[], {held}::boolean[]) AS p (id, held)",
        now=NOW,
        ids=[anna, ben, carl],
        held=[False, True, False],
    )
    partitions.ensure(NOW, NOW)
    for _ in range(2):
        effect = step.effect(parameters, StepContext(now=NOW, node=0), "s0", rows)
        assert effect is not None
        fetch(sql("WITH {effect} SELECT 1", effect=effect))
    runs = ChallengeRun.objects.values_list("customer_id", "state", "started_at", "ends_at")
    assert list(runs) == [(anna, "open", NOW, days(7))]
    for day in (1, 2):
        happened("visit", "anna", days(day))
    followed(days(2))
    assert ChallengeRun.objects.get().state == "done"


def test_unknown_and_paused() -> None:
    applied(CHALLENGE | {"state": "paused"})
    step = step_types.get("start_challenge")
    wrong = step.check(step.parameters(id="go", type="start_challenge", challenge="no"), {})
    assert [str(problem) for problem in wrong] == ["challenge: unknown challenge 'no' (apply it first; known: two)"]
    paused = step.parameters(id="go", type="start_challenge", challenge="two")
    assert step.effect(paused, StepContext(now=NOW, node=0), "s0", sql("SELECT 1")) is None
