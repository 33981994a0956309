"""Conditions in words."""

from typing import Any

import pytest

from campaigns.segments import queries, tree


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"attribute": "country", "in": ["DE", "AT"]}, "country is one of DE, AT"),
        ({"attribute": "age", "gte": 18, "lt": 30}, "age is at least 18 and is less than 30"),
        ({"attribute": "vip", "eq": True}, "vip is yes"),
        ({"attribute": "email", "is_set": False}, "email is not known"),
        ({"attribute": "city", "in": list("abcdefg")}, "city is one of a, b, c, d, e, 2 more"),
        (
            {"attribute": "birth_date", "anniversary_within": "7d"},
            "birth_date has its anniversary in the next 7 days",
        ),
        (
            {"event": "purchase", "count": {"gte": 3}, "within": "1 month", "where": {"amount": {"gte": 50.5}}},
            "“purchase”: the number of times is at least 3, in the last 1 month, where amount is at least 50.5",
        ),
        (
            {"event": "purchase", "sum": {"gt": 100}, "of": "amount", "from": "2026-01-01", "to": "2026-06-30"},
            "“purchase”: the sum of amount is more than 100, from 2026-01-01 to 2026-06-30",
        ),
        ({"event": "login", "last": {"within": "2h"}}, "“login”: the latest time lies in the last 2 hours"),
        ({"segment": "employees"}, "is in the segment “employees”"),
        ({"consent": "email"}, "has agreed to marketing by email"),
        (
            {"consent": "sms", "status": "withdrawn", "purpose": "service"},
            "has withdrawn the consent to service by sms",
        ),
        (
            {"bucket": "autumn", "from": 0, "to": 0.1},
            "belongs to the part from 0 to 10 % of the random draw “autumn”",
        ),
        ({"none": [{"segment": "x"}]}, "None of these holds"),
        ({"all": []}, "Everybody"),
    ],
)
def test_sentence(rule: dict[str, Any], words: str) -> None:
    assert queries.sentence(tree.parse(rule)) == words
