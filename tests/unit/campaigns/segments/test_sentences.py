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
            "“purchase” happened at least 3 times in the last month, where amount is at least 50.5",
        ),
        (
            {"event": "purchase", "sum": {"gt": 100}, "of": "amount", "from": "2026-01-01", "to": "2026-06-30"},
            "the sum of amount over all “purchase” is more than 100, from 2026-01-01 to 2026-06-30",
        ),
        ({"event": "login", "last": {"within": "2h"}}, "the time of the latest “login” lies in the last 2 hours"),
        ({"event": "login", "first": "x", "of": "page"}, "page of the first “login” is x"),
        ({"event": "login"}, "“login” happened"),
        ({"event": "login", "count": 0, "within": "90d"}, "“login” did not happen in the last 90 days"),
        ({"event": "login", "count": {"eq": 1}}, "“login” happened exactly 1 time"),
        ({"event": "login", "count": {"gt": 1, "lt": 5}}, "“login” happened more than 1 time and fewer than 5 times"),
        ({"event": "login", "count": {"in": [1, 2]}}, "“login” happened exactly 1 or 2 times"),
        ({"event": "login", "days": {"gte": 3}}, "“login” happened on at least 3 different days"),
        ({"list": "guests"}, "is on the list “guests”"),
        ({"reachable": "sms", "purpose": "service"}, "can be reached by sms for service messages"),
        (
            {"sequence": [{"event": "cart_updated"}, {"not": "purchase", "for": "2h"}], "within": "7d"},
            "“cart_updated” happened in the last 7 days, then no “purchase” (watched for: 2 hours)",
        ),
        (
            {
                "sequence": [
                    {"event": "visit", "where": {"page": "a"}},
                    {"event": "order", "within": "1d"},
                    {"not": "x"},
                ]
            },
            "“visit” happened where page is a, then “order” (time limit: 1 day), then no “x”",
        ),
        (
            {"geo": {"near": [50.94, 6.96], "radius_km": 25}},
            "location lies within 25 km of 50.94, 6.96",
        ),
        (
            {"geo": {"country": ["de", "AT"], "postcode": "50"}},
            "the country is one of DE, AT and the postcode begins with 50",
        ),
        (
            {"message": "clicked", "flow": "winback", "step": ["a", "b"], "within": "1 month"},
            "clicked in a message (flow winback and step a or b) in the last month",
        ),
        ({"message": "converted", "goal": "order"}, "reached a goal after a message (goal order)"),
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
