"""Schemas of events: what is learned from values, what is declared, what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.events.schemas import SHAPES, Declared, check, fits, proposed, read_schema, shape_of, write_schema
from loyalty.kit.problems import Problem


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("blue", "text"),
        ("", "text"),
        (1, "number"),
        (-0.5, "number"),
        (True, "boolean"),
        (None, None),
        ([], "list"),
        ({}, "object"),
        ("2026-11-21", "date"),
        ("2026-02-30", "text"),
        ("2026-11-21T09:30:00+01:00", "time"),
        ("2026-11-21T09:30:00Z", "time"),
        ("2026-11-21T09:30:00", "text"),
        ("2026-99-21T09:30:00Z", "text"),
        ("1234-56789", "text"),
    ],
)
def test_what_a_value_looks_like(value: Any, shape: str | None) -> None:
    assert shape_of(value) == shape


def test_a_locked_schema_tells_every_mistake_with_place_and_remedy() -> None:
    schema = {"amount": Declared("number", True), "sku": Declared("text"), "at": Declared("date", True)}
    assert check({"amount": "12", "sku": 7, "color": "blue"}, schema) == [
        Problem("properties.amount", "is text, but must be a number", SHAPES["number"]),
        Problem("properties.sku", "is a number, but must be text", SHAPES["text"]),
        Problem("properties.at", "is missing", f"add it: {SHAPES['date']}"),
    ]
    assert check({"amount": 12, "at": "2026-11-21", "color": "blue"}, schema) == []
    assert check({"amount": 12, "at": None}, schema) == [
        Problem("properties.at", "is missing", f"add it: {SHAPES['date']}")
    ]
    assert [problem.where for problem in check(None, schema)] == ["properties.amount", "properties.at"]


@pytest.mark.parametrize(
    ("value", "taken"), [(12.5, True), ("12.50", True), ("-3", True), ("12,50", False), (True, False)]
)
def test_money_is_a_number_or_its_text(value: Any, taken: bool) -> None:
    assert fits(value, "money") is taken


def test_schemas_are_read_and_written_short() -> None:
    found, problems = read_schema({"sku": "text", "amount": {"type": "money", "required": True}})
    assert problems == []
    assert found == {"sku": Declared("text"), "amount": Declared("money", True)}
    assert write_schema(found) == {"amount": {"type": "money", "required": True}, "sku": "text"}


def test_mistakes_in_a_schema_are_told_all_at_once() -> None:
    found, problems = read_schema(
        {"a": "integer", "b": {"type": "text", "required": "yes", "min": 1}, "c": 5, "": "text"}
    )
    assert found == {}
    assert [(problem.where, problem.problem) for problem in problems] == [
        ("properties.a.type", "'integer' is no type"),
        ("properties.b.required", "is neither true nor false"),
        ("properties.b.min", "unknown field"),
        ("properties.c", "is no type"),
        ("properties", "'' is no name"),
    ]
    assert read_schema([])[1] == [
        Problem("properties", "is not an object", "write name: type, for example amount: number")
    ]


def test_what_was_seen_proposes_a_schema() -> None:
    seen = {
        "amount": {"number": 40},
        "note": {"text": 10, "date": 2},
        "mixed": {"number": 5, "text": 5},
        "old": {"text": 0},
    }
    assert proposed(seen, 40) == {"amount": Declared("number", True), "note": Declared("text", False)}
    assert proposed({"amount": {"number": 19}}, 19) == {"amount": Declared("number", False)}


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(min_size=1, max_size=10), JSON, max_size=6))
def test_what_was_learned_from_an_event_lets_it_pass(properties: dict[str, Any]) -> None:
    seen = {key: {shape: 30} for key, value in properties.items() if (shape := shape_of(value))}
    schema = proposed(seen, 30)
    assert check(properties, schema) == []
    assert read_schema(write_schema(schema)) == (schema, [])
