"""A challenge in words: every window has its own, whether of the calendar or a length of time."""

import pytest
from django.utils.translation import override

from loyalty.play.definition import ChallengeDocument
from loyalty.play.wording import challenge_sentence


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ("ever", "2 times “visit”."),
        ("day", "2 times “visit”, within a calendar day."),
        ("week", "2 times “visit”, within a calendar week."),
        ("month", "2 times “visit”, within a calendar month."),
        ("year", "2 times “visit”, within a calendar year."),
        ("30d", "2 times “visit”, within 30 days."),
    ],
)
def test_the_window(window: str, said: str) -> None:
    prizes = [{"type": "points", "points": 5}]
    document = ChallengeDocument.model_validate(
        {"key": "often", "event": "visit", "target": 2, "window": window, "prizes": prizes}
    )
    with override("en"):
        assert challenge_sentence(document) == said
