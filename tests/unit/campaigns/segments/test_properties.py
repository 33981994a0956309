"""Conditions on the properties of one event."""

import pytest

from campaigns.segments import properties
from loyalty.kit.problems import Problems
from loyalty.kit.sql import Sql


def test_nothing_asked_is_true() -> None:
    assert properties.where({}, Sql("e.properties")) == Sql("TRUE")


def test_values_are_parameters_never_text() -> None:
    condition = properties.where({"name'; DROP": "x'; DROP TABLE customer"}, Sql("e.properties"))
    assert "DROP" not in condition.text
    assert "x'; DROP TABLE customer" in condition.params


def test_every_mistake_is_told() -> None:
    problems = properties.check({"amount": {"gtt": 1}, "shop": None, "at": {"within": "7d"}}, "where")
    assert [str(problem) for problem in problems] == [
        "where.amount.gtt: unknown field 'gtt' (did you mean 'gt'?)",
        "where.shop.eq: null is no value to compare with; use is_set: false",
        "where.at.within: within is not possible here (compare with a fixed date: before, after)",
    ]
    assert properties.check({"at": {"within": "7d"}}, "where", relative=True) == []
    assert [str(problem) for problem in properties.check([1], "where")] == [
        "where: must be a mapping of property to condition (for example {amount: {gte: 50}})"
    ]


def test_what_check_refuses_is_not_compiled() -> None:
    with pytest.raises(Problems):
        properties.where({"at": {"within": "7d"}}, Sql("e.properties"))
