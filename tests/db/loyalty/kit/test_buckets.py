"""Buckets: Python and PostgreSQL agree, places are stable and even."""

import pytest

from loyalty.kit.buckets import place, place_sql
from loyalty.kit.sql import Sql, fetch, sql


@pytest.mark.django_db
def test_python_and_sql_agree() -> None:
    expression = place_sql("autumn", Sql("n::bigint"))
    rows = fetch(sql("SELECT n, {place} FROM generate_series(-5, 2000, 7) n", place=expression))
    assert [(n, found) for n, found in rows if found != place("autumn", n)] == []
    assert all(0 <= found < 1 for _, found in rows)


def test_a_place_never_changes() -> None:
    assert place("autumn", 1) == 0.5630779375787824
    assert place("spring", 1) != place("autumn", 1)


def test_places_are_even() -> None:
    tenths = [0] * 10
    for customer in range(20_000):
        tenths[int(place("x", customer) * 10)] += 1
    assert all(1_800 < count < 2_200 for count in tenths)
