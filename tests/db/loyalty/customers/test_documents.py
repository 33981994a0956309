"""Attributes as text."""

from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty.customers.catalog import attribute_fields, value_sql
from loyalty.customers.models import Attribute
from loyalty.customers.operations import upsert_customers
from loyalty.kit.documents import kinds
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch, sql

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TIER = {
    "kind": "attribute",
    "key": "tier_wish",
    "type": "choice",
    "name": {"en": "Wish", "de": "Wunsch"},
    "choices": {"gold": {"en": "Gold", "de": "Gold"}, "silver": "Silver"},
    "purpose": "marketing",
}


def apply(document: dict[str, Any]) -> str:
    return kinds.get("attribute").apply(document, now=NOW, declared={}).verdict


def test_applying_twice_changes_nothing_and_export_gives_back_what_was_applied() -> None:
    assert [apply(TIER), apply(TIER)] == ["created", "unchanged"]
    assert list(kinds.get("attribute").export()) == [TIER]
    assert apply({**TIER, "purpose": "service"}) == "updated"
    assert attribute_fields()["tier_wish"].choices == ("gold", "silver")


def test_a_learned_attribute_is_not_exported_until_somebody_defines_it() -> None:
    upsert_customers([{"external_id": "a", "attributes": {"size": 3}}], now=NOW, source="t")
    assert list(kinds.get("attribute").export()) == []
    assert apply({"kind": "attribute", "key": "size", "type": "number"}) == "created"
    assert not Attribute.objects.get().learned


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"kind": "attribute", "key": "x", "type": "wish", "colour": 1}, ["type", "colour"]),
        ({"kind": "attribute", "key": "email", "type": "text"}, ["key"]),
        ({"kind": "attribute", "key": "9 x", "type": "text"}, ["key"]),
        ({"kind": "attribute", "key": "x", "type": "choice"}, [""]),
    ],
)
def test_mistakes_are_told_with_their_place(document: dict[str, Any], where: list[str]) -> None:
    with pytest.raises(Problems) as refusal:
        apply(document)
    assert [problem.where for problem in refusal.value.problems] == where


def test_values_of_another_type_than_the_attribute_are_missing_not_errors() -> None:
    values = {"n": 1.5, "m": {"amount": "2.50", "currency": "EUR"}, "d": "2026-01-02", "b": True, "t": "x"}
    upsert_customers(
        [{"external_id": "a", "attributes": values}, {"external_id": "b", "attributes": {"m2": "3.25"}}],
        now=NOW,
        source="t",
    )
    Attribute.objects.filter(key="m2").update(type="money")
    fields = attribute_fields()
    columns = sql(", ").join(value_sql(fields[key]) for key in ("n", "m", "d", "b", "t", "m2"))
    rows = fetch(sql("SELECT {columns} FROM customer c ORDER BY external_id", columns=columns))
    assert [[str(value) for value in row] for row in rows] == [
        ["1.5", "2.50", "2026-01-02", "True", "x", "None"],
        ["None", "None", "None", "None", "None", "3.25"],
    ]
    for type_ in ("number", "money", "date", "boolean"):
        Attribute.objects.filter(key="t").update(type=type_)
        wrong = value_sql(attribute_fields()["t"])
        assert fetch(sql("SELECT {wrong} FROM customer c", wrong=wrong)) == [(None,), (None,)]
