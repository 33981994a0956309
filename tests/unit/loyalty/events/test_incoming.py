"""Reading one event from outside."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.events.incoming import ID_LENGTH, PROPERTIES_BYTES, PROPERTIES_DEPTH, Incoming, Limits, read
from loyalty.events.names import FACTS, is_name

LIMITS = Limits(
    frozenset({"email", "card", "anonymous_id"}),
    datetime(1990, 1, 1, tzinfo=UTC),
    datetime(2026, 11, 22, 12, tzinfo=UTC),
)


def event(**changes: Any) -> dict[str, Any]:
    return {"customer": "c1", "name": "purchase"} | changes


def problems(**changes: Any) -> list[tuple[str, str]]:
    found = read(event(**changes), LIMITS)
    assert isinstance(found, list)
    return [(problem.where, problem.problem) for problem in found]


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"leaf": 1}
    for _ in range(levels - 1):
        value = {"inner": value}
    return value


def test_a_full_event_is_read() -> None:
    found = read(
        event(
            id=17, name=" Purchase ", occurred_at="2026-11-21T09:30:00+01:00", properties={"amount": 12.5, "a": "ü\n"}
        ),
        LIMITS,
    )
    assert found == Incoming(
        "17", "c1", "purchase", datetime(2026, 11, 21, 8, 30, tzinfo=UTC), '{"amount":12.5,"a":"ü\\n"}'
    )


def test_the_least_event_is_read() -> None:
    assert read(event(), LIMITS) == Incoming(None, "c1", "purchase", None, None)


@pytest.mark.parametrize(
    ("customer", "reference"),
    [
        ("c1", "c1"),
        (17, "17"),
        ({"external_id": " c1 "}, "c1"),
        ({"email": "a@example.com"}, ("email", "a@example.com")),
        ({"card": 42}, ("card", "42")),
    ],
)
def test_whom_it_is_about(customer: object, reference: object) -> None:
    found = read(event(customer=customer), LIMITS)
    assert isinstance(found, Incoming)
    assert found.customer == reference


def test_every_mistake_is_told_at_once() -> None:
    found = read({"id": "x" * 201, "name": "two words", "occurred_at": "gestern", "properties": [1], "when": 1}, LIMITS)
    assert isinstance(found, list)
    assert [problem.where for problem in found] == ["id", "customer", "name", "occurred_at", "properties", "when"]


@pytest.mark.parametrize("value", [None, 1, "purchase", [], [event()]])
def test_what_is_no_object_is_refused(value: object) -> None:
    found = read(value, LIMITS)
    assert isinstance(found, list)
    assert found[0].problem == "is not an object"


@pytest.mark.parametrize(
    ("customer", "where", "problem"),
    [
        (None, "customer", "is missing"),
        ("", "customer", "is no text"),
        ("  ", "customer", "is no text"),
        (True, "customer", "is no text"),
        ({}, "customer", "names not exactly one identity"),
        ({"email": "a", "card": "b"}, "customer", "names not exactly one identity"),
        ({"shoe_size": 43}, "customer", "'shoe_size' is no kind of identity"),
        ({"email": None}, "customer.email", "is no text"),
        ({"email": ["a"]}, "customer.email", "is no text"),
        ("a\0b", "customer", "contains characters that are no text"),
        ("a\ud800", "customer", "contains characters that are no text"),
        ("x" * (ID_LENGTH + 1), "customer", f"is longer than {ID_LENGTH} characters"),
    ],
)
def test_a_bad_reference_is_refused(customer: object, where: str, problem: str) -> None:
    assert problems(customer=customer) == [(where, problem)]


@pytest.mark.parametrize(
    ("at", "problem"),
    [
        ("2026-11-21T09:30:00", "'2026-11-21T09:30:00' has no offset from UTC"),
        ("2026-11-21", "'2026-11-21' has no offset from UTC"),
        ("21.11.2026", "'21.11.2026' is no ISO 8601 time"),
        (1763715000, "'1763715000' is no ISO 8601 time"),
        ("1989-12-31T23:59:59Z", "is before 1990-01-01"),
        ("0001-01-01T00:00:00+14:00", "is before 1990-01-01"),
        ("9999-12-31T23:59:59-14:00", "is more than a day in the future"),
        ("2026-11-22T12:00:00.000001Z", "is more than a day in the future"),
    ],
)
def test_a_bad_time_is_refused(at: object, problem: str) -> None:
    assert problems(occurred_at=at) == [("occurred_at", problem)]


@pytest.mark.parametrize("at", ["1990-01-01T00:00:00Z", "2026-11-22T12:00:00Z", "2026-11-22T14:00:00+02:00"])
def test_the_borders_of_time_are_taken(at: str) -> None:
    assert isinstance(read(event(occurred_at=at), LIMITS), Incoming)


@pytest.mark.parametrize("name", sorted(FACTS))
def test_facts_of_the_system_cannot_be_forged(name: str) -> None:
    assert problems(name=name.upper()) == [("name", f"{name} is written by the system itself")]


@pytest.mark.parametrize("name", [None, "", "a" * 101, "größe", "a/b", "a\n", 5])
def test_a_bad_name_is_refused(name: object) -> None:
    if name == "a\n":  # outer blanks go
        assert isinstance(read(event(name=name), LIMITS), Incoming)
    else:
        assert [where for where, _ in problems(name=name)] == ["name"]


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ("text", "is not an object"),
        ({"a": float("nan")}, "cannot be written as JSON"),
        ({"a": float("inf")}, "cannot be written as JSON"),
        ({"a": object()}, "cannot be written as JSON"),
        ({"a": "x\0y"}, "contains a NUL character"),
        ({"x\0": 1}, "contains a NUL character"),
        ({"a": "\ud800"}, "contains half a Unicode character"),
        (nested(PROPERTIES_DEPTH + 1), "is nested deeper than 10 levels"),
        (nested(5000), "cannot be written as JSON"),
        ({"a": [[[[[[[[[[1]]]]]]]]]]}, "is nested deeper than 10 levels"),
        ({"a": "ü" * (PROPERTIES_BYTES // 2)}, "is larger than 32 KB"),
    ],
)
def test_bad_properties_are_refused(properties: object, problem: str) -> None:
    assert problems(properties=properties) == [("properties", problem)]


@pytest.mark.parametrize(
    "properties",
    [
        nested(PROPERTIES_DEPTH),
        {"a": [{"b": 1}] * 100},
        {"text": "{[{[{[{[{[{["},
        {"a": "\\u0000"},
        {"a": "\\\\u0000"},
        {"a": "x" * (PROPERTIES_BYTES - 8)},
    ],
)
def test_good_properties_are_kept_as_they_are(properties: dict[str, Any]) -> None:
    found = read(event(properties=properties), LIMITS)
    assert isinstance(found, Incoming)
    assert found.properties is not None
    assert json.loads(found.properties) == properties


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.one_of(
        ANYTHING,
        st.fixed_dictionaries(
            {},
            optional={
                "id": ANYTHING,
                "customer": ANYTHING | st.just({"email": "a"}),
                "name": ANYTHING | st.just("purchase"),
                "occurred_at": ANYTHING | st.datetimes(timezones=st.just(timezone(timedelta(hours=5)))).map(str),
                "properties": ANYTHING,
                "other": ANYTHING,
            },
        ),
    )
)
def test_anything_is_either_read_or_refused_with_reasons(value: object) -> None:
    found = read(value, LIMITS)
    if isinstance(found, list):
        assert found
        assert all(problem.problem for problem in found)
        return
    assert is_name(found.name)
    assert found.name not in FACTS
    assert found.id is None or 0 < len(found.id) <= ID_LENGTH
    assert found.occurred_at is None or LIMITS.earliest <= found.occurred_at <= LIMITS.latest
    if found.properties is not None:
        assert len(found.properties.encode()) <= PROPERTIES_BYTES
        assert json.loads(found.properties)
