"""Goals and campaigns as people write them."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from campaigns.planning.definition import CampaignDocument, GoalDocument
from loyalty.kit.problems import from_pydantic


def problems(shape: type[Any], **fields: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as refused:
        shape.model_validate(fields)
    return {problem.where: problem.problem for problem in from_pydantic(refused.value)}


def test_goal_with_everything_unset() -> None:
    goal = GoalDocument.model_validate({"key": "order", "event": "Purchase "})
    assert (goal.event, goal.window, goal.touches, goal.value, goal.where) == (
        "purchase",
        604_800,
        ["message.clicked"],
        None,
        {},
    )
    assert goal.as_document() == {
        "kind": "goal",
        "key": "order",
        "name": {},
        "event": "purchase",
        "window": "7d",
        "touches": ["message.clicked"],
    }


def test_goal_in_full_survives_its_text() -> None:
    document = {
        "key": "big_order",
        "name": {"en": "Big order", "de": "Große Bestellung"},
        "event": "purchase",
        "where": {"amount": {"gte": 50}, "category": ["a", "b"], "on": date(2026, 1, 2)},
        "value": "amount",
        "window": "2w",
        "touches": ["message.clicked", "message.opened", "message.clicked"],
    }
    goal = GoalDocument.model_validate(document)
    text = goal.as_document()
    assert text["where"]["on"] == "2026-01-02"
    assert text["touches"] == ["message.clicked", "message.opened"]
    again = GoalDocument.model_validate({name: value for name, value in text.items() if name != "kind"})
    assert again == goal


def test_every_mistake_of_a_goal_is_told() -> None:
    found = problems(
        GoalDocument,
        key="Big Order",
        name={"english": "x"},
        event="no name",
        where={"amount": {"bigger": 1}},
        window="1 month",
        touches=["purchase"],
        valeu="amount",
    )
    assert set(found) == {"key", "name", "event", "where", "window", "touches[0]", "valeu"}
    assert "elapsed" in found["window"]
    assert "known: contains" not in found["where"]
    assert "unknown comparison 'bigger'" in found["where"]


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"window": "0s"}, "window"),
        ({"window": "367d"}, "window"),
        ({"window": 7}, "window"),
        ({"touches": []}, "touches"),
        ({"where": {"amount": {}}}, "where"),
        ({"where": {"amount": None}}, "where"),
        ({"where": {"at": {"within": "7d"}}}, "where"),
        ({"value": ""}, "value"),
        ({"event": None}, "event"),
    ],
)
def test_refused_goals(fields: dict[str, Any], where: str) -> None:
    assert set(problems(GoalDocument, **({"key": "k", "event": "e"} | fields))) == {where}


def test_campaign() -> None:
    campaign = CampaignDocument.model_validate({"key": "autumn", "name": "Autumn", "starts_on": date(2026, 9, 1)})
    assert campaign.as_document() == {
        "kind": "campaign",
        "key": "autumn",
        "name": {"en": "Autumn"},
        "starts_on": "2026-09-01",
    }
    assert problems(CampaignDocument, key="a", starts_on="2026-02-01", ends_on="2026-01-01", budget=1)
