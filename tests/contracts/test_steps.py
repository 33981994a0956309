"""Every step type keeps the contract of steps: each person takes exactly one exit, running again changes nothing,
and the number of queries does not grow with the people.

A new type is tested by being in its folder; it needs a sample here.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from campaigns.flows import engine, runs
from campaigns.flows.graph import parse
from campaigns.flows.models import Enrollment
from campaigns.flows.step import step_types
from loyalty.kit.applying import apply_documents
from loyalty.kit.sql import execute, fetch
from tests.db.campaigns.flows.conftest import enter, happen, people, publish, put_everybody_in  # noqa: F401

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
SAMPLES: dict[str, list[dict[str, Any]]] = {
    "send": [{"template": "hello"}],
    "wait": [
        {"for": "2d"},
        {"for": "3 calendar days"},
        {"for": "1 month"},
        {"until": "09:00"},
        {"until": {"weekday": "monday", "time": "10:30"}},
        {"until": {"date": "2026-11-05"}},
        {"until": {"attribute": "birth_date"}},
    ],
    "wait_for_event": [{"event": "purchase", "timeout": "2d"}, {"event": "purchase", "timeout": "2 calendar days"}],
    "split": [
        {
            "branches": [
                {"when": {"all": [{"attribute": "country", "eq": "DE"}]}, "to": "end"},
                {"when": {"all": [{"event": "purchase", "count": {"gte": 1}, "within": "90d"}]}, "to": "after"},
            ],
            "otherwise": "after",
        }
    ],
    "exit": [{"reason": "done"}],
    "issue_voucher": [{"pool": "ten"}],
    "start_challenge": [{"challenge": "two_visits"}],
    "award_points": [{"points": 200, "reason": "winback"}, {"points": 5, "program": "club", "wallet": "points"}],
    "spend_points": [{"points": 50, "reason": "shipping"}],
    "lock_points": [{"points": 50, "for": "2d"}],
    "set_tier": [{"tier": "gold", "for": "90d"}, {"tier": "gold"}, {"tier": None}],
}
CASES = [(key, sample) for key in step_types for sample in SAMPLES.get(key, [None])]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def voucher_pool() -> None:
    """What `issue_voucher` issues from."""
    document = {"kind": "voucher_pool", "key": "ten", "benefit": {"type": "percent", "percent": 10}}
    apply_documents([document], now=NOW)


@pytest.fixture(autouse=True)
def challenge(club: None) -> None:
    """What `start_challenge` starts."""
    two = {"kind": "challenge", "key": "two_visits", "event": "visit", "target": 2, "join": "explicit", "window": "7d"}
    apply_documents([two], now=NOW)


@pytest.fixture(autouse=True)
def club(db: None) -> None:
    """A loyalty program, for the steps about points."""
    apply_documents(
        [{"kind": "program", "key": "club"}, {"kind": "tier", "key": "gold", "rank": 1, "threshold": 100}], now=NOW
    )


def steps_with(key: str, sample: dict[str, Any]) -> list[dict[str, Any]]:
    steps = [{"id": "under_test", "type": key, **sample}]
    if key != "exit":
        steps.append({"id": "after", "type": "wait", "for": "365d"})
    return steps


def run_all(at: datetime) -> None:
    while runs.advance_runs(now=NOW):
        pass
    while engine.advance(now=at):
        pass


def state() -> list[Any]:
    return [
        fetch("SELECT id, node, status, visit, due_at FROM enrollment ORDER BY id"),
        fetch("SELECT enrollment_id, visit, from_node, exit, path FROM step_log ORDER BY 1, 2"),
        fetch("SELECT id, state FROM message ORDER BY id"),
        fetch("SELECT id, kind, customer_id, settled_at FROM points_order ORDER BY id"),
        fetch("SELECT node, exit, sum(n) FROM flow_count GROUP BY 1, 2 ORDER BY 1, 2"),
    ]


@pytest.mark.parametrize(("key", "sample"), CASES)
def test_everybody_takes_exactly_one_exit(key, sample, people, publish) -> None:  # noqa: F811
    assert sample is not None, f"add a sample of {key!r} to SAMPLES"
    people(7, country="DE")
    people(5, country="FR", timezone="America/New_York")
    execute("UPDATE customer SET birth_date = '1990-05-01' WHERE id %% 2 = 0")
    flow = publish(steps_with(key, sample))
    run_all(LATER)
    exits = step_types.get(key).exits(parse(flow.definition, step_types).node(1).parameters) or ("exited",)
    counted = dict(fetch("SELECT exit, sum(n) FROM flow_count WHERE node = 1 AND exit <> 'arrived' GROUP BY 1"))
    assert set(counted) <= set(exits)
    assert sum(counted.values()) == 12
    assert not Enrollment.objects.filter(node=1).exists()


@pytest.mark.parametrize(("key", "sample"), CASES)
def test_running_again_changes_nothing(key, sample, people, publish) -> None:  # noqa: F811
    people(3)
    publish(steps_with(key, sample))
    run_all(LATER)
    before = state()
    run_all(LATER)
    assert state() == before


@pytest.mark.parametrize(("key", "sample"), CASES)
def test_the_number_of_queries_is_flat(key, sample, people, publish) -> None:  # noqa: F811
    people(4)
    publish(steps_with(key, sample))
    run_all(LATER)
    counts = []
    for more in (1, 200):
        people(more)
        put_everybody_in(NOW)
        execute("UPDATE flow_run SET cursor = 0, finished_at = NULL")
        with CaptureQueriesContext(connection) as caught:
            run_all(LATER)
        counts.append(len(caught))
    assert counts[1] <= counts[0]


@pytest.mark.parametrize(("key", "sample"), CASES)
def test_the_sentence_is_there_in_both_languages(key, sample) -> None:
    parameters = step_types.get(key).parameters.model_validate({"id": "x", "type": key, **sample})
    for language in ("en", "de"):
        with translation.override(language):
            assert step_types.get(key).sentence(parameters).strip().endswith(".")
