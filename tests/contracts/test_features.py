"""Every feature: computed for everybody in one statement, the same twice, and each against its plain-Python twin."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from loyalty.events import partitions, types
from loyalty.insights import operations
from loyalty.insights.catalog import insights, parameters_of
from loyalty.insights.feature import features
from loyalty.insights.operations import compute, set_parameters
from loyalty.kit.periods import Period
from loyalty.kit.sql import execute, fetch, sql

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
Purchase = tuple[int, timedelta, Any]
Row = tuple[str | None, list[Decimal]]

# The names as marketing reads them, by recency and frequency; a second telling of the feature's own table.
RULES: list[tuple[str, range, range]] = [
    ("champions", range(5, 6), range(4, 6)),
    ("loyal", range(3, 6), range(4, 6)),
    ("potential_loyalist", range(4, 6), range(2, 4)),
    ("new", range(5, 6), range(1, 2)),
    ("promising", range(4, 5), range(1, 2)),
    ("need_attention", range(3, 4), range(3, 4)),
    ("about_to_sleep", range(3, 4), range(1, 3)),
    ("cannot_lose", range(1, 3), range(5, 6)),
    ("at_risk", range(1, 3), range(3, 5)),
    ("lost", range(1, 2), range(1, 2)),
    ("hibernating", range(1, 3), range(1, 3)),
]


def amount_of(value: Any) -> Decimal:
    """What a property is worth: numbers, decimal texts and money; anything else is nothing."""
    if isinstance(value, dict):
        value = value.get("amount")
        if isinstance(value, dict):
            return Decimal(0)
    if isinstance(value, bool) or value is None:
        return Decimal(0)
    if isinstance(value, str):
        plain = value.removeprefix("-").removeprefix("+").replace(".", "0", 1)
        return Decimal(value) if plain.isascii() and plain.isdigit() and value[-1] != "." else Decimal(0)
    return Decimal(str(value)) if isinstance(value, int | float) else Decimal(0)


def fifths(order: list[tuple[Any, int]], ties: str) -> dict[int, int]:
    """Each customer's fifth from 1 by place in the order; with `together` equal values share the first place."""
    places: dict[int, Fraction] = {}
    for number, (value, customer) in enumerate(order):
        peers = [place for place, (other, _) in enumerate(order) if other == value]
        places[customer] = Fraction(min(peers) if ties == "together" else number)
    return {customer: max(1, ceil(5 * place / (len(order) - 1))) for customer, place in places.items()}


def rfm(purchases: list[Purchase], parameters: Any) -> dict[int, Row]:
    """The twin of `rfm`."""
    opening = Period.parse(parameters.within).subtract_from(NOW, "Europe/Berlin") if parameters.within else None
    bought: dict[int, list[tuple[datetime, Decimal]]] = {}
    for customer, ago, value in purchases:
        at = NOW - ago
        if at <= NOW and (opening is None or at > opening):
            bought.setdefault(customer, []).append((at, amount_of(value)))
    if len(bought) < 5:
        return {}
    last = sorted(
        ((max(at for at, _ in all_), one) for one, all_ in bought.items()), key=lambda x: (-x[0].timestamp(), x[1])
    )
    often = sorted((len(all_), one) for one, all_ in bought.items())
    spent = sorted((sum(value for _, value in all_), one) for one, all_ in bought.items())
    r, f, m = (fifths(order, parameters.ties) for order in (last, often, spent))
    found: dict[int, Row] = {}
    for one, all_ in bought.items():
        recency = 6 - r[one]
        name = next(name for name, rs, fs in RULES if recency in rs and f[one] in fs)
        revenue = sum((value for _, value in all_), Decimal(0))
        found[one] = (name, [Decimal(recency), Decimal(f[one]), Decimal(m[one]), Decimal(len(all_)), revenue])
    return found


TWINS: dict[str, Callable[[list[Purchase], Any], dict[int, Row]]] = {"rfm": rfm}


def store(purchases: list[Purchase]) -> None:
    """Exactly these purchases, and the customers 1 to 40."""
    partitions.ensure(NOW - timedelta(days=400), NOW + timedelta(days=1))
    execute("DELETE FROM event")
    execute(
        "INSERT INTO customer (id, created_at, updated_at) OVERRIDING SYSTEM VALUE"
        " SELECT n, now(), now() FROM generate_series(1, 40) n ON CONFLICT DO NOTHING"
    )
    execute(
        sql(
            """
            INSERT INTO event (customer_id, type_id, occurred_at, received_at, properties)
            SELECT r.c, {type_id}, {now}::timestamptz - r.s * interval '1 second', {now}, r.p
            FROM jsonb_to_recordset({rows}::jsonb) AS r(c bigint, s float8, p jsonb)""",
            type_id=types.type_id("purchase"),
            now=NOW,
            rows=json.dumps(
                [{"c": c, "s": ago.total_seconds(), "p": {"amount": value}} for c, ago, value in purchases]
            ),
        )
    )


def stored(feature: str) -> dict[int, Row]:
    rows = fetch(sql("SELECT customer_id, label, numbers FROM customer_insight WHERE feature = {f}", f=feature))
    return {customer: (label, numbers) for customer, label, numbers in rows}


values = st.one_of(
    st.integers(-50, 5000),
    st.decimals(-10, 300, places=2).map(str),
    st.integers(0, 9).map(lambda n: {"amount": n, "currency": "EUR"}),
    st.sampled_from([None, True, "", "x", "1e3", "NaN", {"amount": {}}, {"amount": "7.50"}, {}, [1], 10**25]),
)
lists = st.lists(
    st.tuples(
        st.integers(1, 40),
        st.one_of(
            st.integers(-86_400, 400 * 86_400).map(lambda n: timedelta(seconds=n)),
            st.sampled_from([timedelta(0), timedelta(days=90), timedelta(days=90, seconds=-1), timedelta(days=1)]),
        ),
        values,
    ),
    max_size=120,
)
settings_of_rfm = st.fixed_dictionaries(
    {"ties": st.sampled_from(["rank", "together"]), "within": st.sampled_from([None, "90d", "1 month"])}
)


def test_every_feature_has_a_twin() -> None:
    assert set(features) == set(TWINS)


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(lists, settings_of_rfm)
def test_rfm_agrees_with_its_twin(db: None, purchases: list[Purchase], parameters: dict[str, Any]) -> None:
    store(purchases)
    set_parameters(feature="rfm", parameters=parameters, now=NOW)
    done = compute(feature="rfm", now=NOW)
    expected = rfm(purchases, parameters_of("rfm", parameters))
    assert done is not None
    assert stored("rfm") == expected
    assert done.people == len(expected)


@pytest.mark.parametrize("key", sorted(features))
def test_twice_is_once_and_queries_do_not_grow(key: str) -> None:
    counts = []
    for buyers in (5, 40):
        draw = random.Random(7)
        store(
            [(c, timedelta(days=draw.random() * 300), draw.randrange(90)) for c in range(1, buyers + 1) for _ in "abc"]
        )
        execute("DELETE FROM customer_change")
        with CaptureQueriesContext(connection) as asked:
            first = compute(feature=key, now=NOW)
        counts.append(len(asked))
        changed = {row[0] for row in fetch("SELECT customer_id FROM customer_change")}
        assert first is not None
        assert first.changed == len(changed) > 0
        again = compute(feature=key, now=NOW)
        assert again is not None
        assert again.changed == 0
    assert counts[0] == counts[1]


@pytest.mark.parametrize("key", sorted(features))
def test_many_changes_are_written_in_several_looks(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store([(c, timedelta(days=c), c) for c in range(1, 41)])
    compute(feature=key, now=NOW)
    whole = stored(key)
    execute("DELETE FROM customer_insight")
    monkeypatch.setattr(operations, "SLICE", 15)
    looks = [operations.compute(feature=key, now=NOW, only_due=number > 0) for number in range(4)]
    assert [look and (look.people, look.changed) for look in looks] == [(40, 15), (40, 15), (40, 10), None]
    assert stored(key) == whole


@pytest.mark.parametrize("key", sorted(features))
def test_a_feature_describes_itself(key: str) -> None:
    feature = features.get(key)
    assert issubclass(feature.parameters, BaseModel)
    assert len(feature.sentence(feature.parameters()).split()) > 3
    assert sum(one.type == "label" for one in feature.insights) <= 1
    assert all(one.key.startswith(key) for one in feature.insights)


def test_insights_are_placed_where_the_rows_have_them() -> None:
    assert {key: placed.place for key, placed in insights().items() if placed.feature == "rfm"} == {
        "rfm_segment": 0,
        "rfm_recency": 1,
        "rfm_frequency": 2,
        "rfm_monetary": 3,
        "rfm_purchases": 4,
        "rfm_revenue": 5,
    }
