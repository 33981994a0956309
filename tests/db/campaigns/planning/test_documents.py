"""`kind: goal` and `kind: campaign`: apply, apply again, change, export."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import translation

from campaigns.planning.models import Campaign, Goal
from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problems
from loyalty.kit.sql import execute, fetch

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
GOAL = {
    "kind": "goal",
    "key": "order",
    "name": {"en": "Order", "de": "Bestellung"},
    "event": "purchase",
    "value": "amount",
}
CAMPAIGN = {
    "kind": "campaign",
    "key": "autumn",
    "name": {"en": "Autumn"},
    "starts_on": "2026-09-01",
    "ends_on": "2026-11-30",
}


def apply(document: dict[str, Any]) -> Change:
    return kinds.get(document["kind"]).apply(document, now=NOW, declared={})


@pytest.mark.parametrize("document", [GOAL, CAMPAIGN])
def test_created_unchanged_updated(document: dict[str, Any]) -> None:
    assert apply(document).verdict == "created"
    assert apply(document).verdict == "unchanged"
    change = apply(document | {"name": {"en": "Other"}})
    assert (change.verdict, change.before and change.before["name"], change.after["name"]) == (
        "updated",
        document["name"],
        {"en": "Other"},
    )


@pytest.mark.parametrize("document", [GOAL, CAMPAIGN, GOAL | {"window": "36h", "where": {"amount": {"gte": 5}}}])
def test_what_is_exported_changes_nothing(document: dict[str, Any]) -> None:
    apply(document)
    exported = list(kinds.get(document["kind"]).export())
    assert len(exported) == 1
    assert apply(exported[0]).verdict == "unchanged"


def test_goal_columns() -> None:
    apply(GOAL | {"window": "2w", "where": {"category": "shoes"}, "touches": ["message.opened"]})
    goal = Goal.objects.get()
    assert (goal.window_seconds, goal.conditions, goal.touches, goal.value_property, goal.updated_at) == (
        1_209_600,
        {"category": "shoes"},
        ["message.opened"],
        "amount",
        NOW,
    )


def test_mistakes_are_told_and_nothing_is_kept() -> None:
    with pytest.raises(Problems) as refused:
        apply(GOAL | {"event": "", "window": "soon"})
    assert [problem.where for problem in refused.value.problems] == ["event", "window"]
    assert not Goal.objects.exists()


def test_defaults_hold_for_rows_made_in_sql() -> None:
    execute("INSERT INTO goal (key, event) VALUES ('raw', 'purchase')")
    assert fetch("SELECT window_seconds, touches::text, conditions::text FROM goal") == [
        (604_800, '["message.clicked"]', "{}")
    ]


def test_the_database_refuses_what_makes_no_sense() -> None:
    for statement in (
        "INSERT INTO goal (key, event, window_seconds) VALUES ('x', 'e', 0)",
        "INSERT INTO campaign (key, starts_on, ends_on) VALUES ('x', '2026-02-01', '2026-01-01')",
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            execute(statement)


def test_names_in_the_readers_language() -> None:
    apply(GOAL)
    apply(CAMPAIGN | {"name": {}})
    with translation.override("de-at"):
        assert str(Goal.objects.get()) == "Bestellung"
    with translation.override("fr"):
        assert str(Goal.objects.get()) == "Order"
    assert str(Campaign.objects.get()) == "autumn"
