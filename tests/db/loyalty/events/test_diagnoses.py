"""The doctor's look at the queue of events."""

import pytest

from loyalty.events.diagnoses import look_at_queue
from loyalty.events.operations import intake
from loyalty.events.queue import subscribe
from loyalty.kit.clock import now
from loyalty.kit.sql import execute

pytestmark = pytest.mark.django_db


def test_an_event_that_waits_too_long_is_told() -> None:
    assert [finding.text for finding in look_at_queue()] == ["no event waits"]
    subscribe("trial", ["purchase"])
    intake(events=[{"customer": "ada", "name": "purchase"}], now=now(), source="test")
    assert [finding.level for finding in look_at_queue()] == ["ok"]
    execute("UPDATE event SET received_at = received_at - interval '1 hour'")
    (found,) = look_at_queue()
    assert found.level == "broken"
    assert found.text.startswith("1 events wait for trial, the oldest for 3,6")
