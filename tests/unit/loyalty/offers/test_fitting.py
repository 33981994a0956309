"""Conditions, codes as typed, and sentences."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation
from pydantic import ValidationError

from loyalty.offers import codes, wording
from loyalty.offers.baskets import Line
from loyalty.offers.definition import OfferDocument, PoolDocument
from loyalty.offers.fitting import Situation, mismatch

TEN = {"type": "percent", "percent": 10}
AT = datetime(2026, 3, 10, 12, tzinfo=UTC)


def reason(when: dict[str, Any], **situation: Any) -> str | None:
    document = OfferDocument.model_validate({"key": "o", "benefit": TEN, "when": when, "timezone": "Europe/Berlin"})
    lines = (Line(1, Decimal(20), Decimal(1), {"category": "tea", "labels": ["new"]}),)
    given = {"at": AT, "zone": "UTC", "lines": lines, "customer_id": 1, **situation}
    found = mismatch(document, Situation(**given))
    return found[0] if found else None


@pytest.mark.parametrize(
    ("when", "situation", "expected"),
    [
        ({}, {}, None),
        ({"from": "2026-03-11"}, {}, "early"),
        # Eleven at night in UTC is the next day in Berlin.
        ({"from": "2026-03-11"}, {"at": AT.replace(hour=23)}, None),
        ({"to": "2026-03-10"}, {}, None),
        ({"to": "2026-03-09"}, {}, "late"),
        ({"weekdays": ["tue"]}, {}, None),
        ({"weekdays": ["mon"]}, {}, "weekday"),
        ({"hours": ["09:00", "13:00"]}, {}, "hours"),
        ({"hours": ["13:00", "14:00"]}, {}, None),
        ({"hours": ["22:00", "14:00"]}, {}, None),
        ({"stores": ["s1"]}, {"store": "s1"}, None),
        ({"stores": ["s1"]}, {}, "store"),
        ({"channels": ["web"]}, {"channel": "till"}, "channel"),
        ({"minimum": 20}, {}, None),
        ({"minimum": 20.01}, {}, "minimum"),
        ({"minimum": 1, "only": {"category": ["coffee"]}}, {}, "lines"),
        ({"only": {"label": ["new"]}}, {}, None),
        ({"without": {"category": ["tea"]}}, {}, "lines"),
        ({"tiers": ["gold"]}, {}, "tier"),
        ({"tiers": ["gold", "silver"]}, {"tiers": {"silver"}}, None),
        ({"segments": ["vip"]}, {}, "segment"),
        ({"segments": ["vip"]}, {"segments": {"vip"}}, None),
        ({"segments": ["vip"]}, {"customer_id": None}, "unknown_customer"),
    ],
)
def test_conditions(when: dict[str, Any], situation: dict[str, Any], expected: str | None) -> None:
    assert reason(when, **situation) == expected


def test_another_currency() -> None:
    assert reason({}, currency="USD") == "currency"


def test_codes_are_folded() -> None:
    assert codes.fold(" wel-12 ab ") == "WEL12AB"
    assert codes.digests("abO") == [codes.digest("ABO"), codes.digest("AB0")]
    assert codes.digests("ab0") == [codes.digest("AB0")]


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"benefit": TEN, "codes": {"pattern": "AB-????"}}, "random signs"),
        ({"benefit": TEN, "codes": {"pattern": "ab-??????????"}}, "capital letters"),
        ({"benefit": TEN, "codes": {"type": "shared"}}, "code: give it"),
        ({"benefit": TEN, "codes": {"type": "imported", "pattern": "??????????"}}, "only generated"),
        ({"benefit": TEN, "codes": {"low": 5}}, "only imported"),
        ({"benefit": {"type": "gift_card", "amount": 5}, "codes": {"type": "shared", "code": "GIFT"}}, "its own"),
        ({"benefit": {"type": "next_order", "pool": "p"}}, "names this pool"),
        ({"benefit": {"type": "product"}}, "only: name"),
        ({"benefit": TEN, "timezone": "Mars/Base"}, "no time zone"),
        ({"benefit": TEN, "valid": {"from": "2026-02-01", "to": "2026-01-01"}}, "swap them"),
    ],
)
def test_mistakes_in_documents(document: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError, match=where):
        PoolDocument.model_validate({"key": "p", **document})


def test_a_document_stays_the_same_through_its_plain_form() -> None:
    document = PoolDocument.model_validate(
        {
            "key": "p",
            "name": {"en": "P"},
            "benefit": {"type": "buy_get", "buy": 2, "percent": 33.33, "only": {"sku": ["a"]}},
            "when": {"from": "2026-01-01", "hours": ["09:00", "12:30"], "minimum": 12.5},
            "limits": {"person": 2},
            "valid": {"for": "30d"},
        }
    )
    plain = document.plain()
    assert PoolDocument.model_validate(plain) == document
    assert plain == {
        "key": "p",
        "name": {"en": "P"},
        "benefit": {"type": "buy_get", "buy": 2, "percent": 33.33, "only": {"sku": ["a"]}},
        "when": {"from": "2026-01-01", "hours": ["09:00:00", "12:30:00"], "minimum": 12.5},
        "limits": {"person": 2},
        "valid": {"for": "30d"},
    }


def test_sentences() -> None:
    document = PoolDocument.model_validate(
        {
            "key": "p",
            "benefit": {**TEN, "max": 20, "only": {"category": ["coffee"]}},
            "when": {"minimum": 30},
            "limits": {"person": 1, "budget": 500},
        }
    )
    with translation.override("en"):
        assert wording.sentence(document) == (
            "10 % off on category coffee (at most 20 EUR), from an amount of 30 EUR (once per person; 500 EUR in all)."
        )
        assert wording.refusal("minimum", {"minimum": "30", "missing": "4.50"}) == ("4.50 more are needed to reach 30.")
