"""What every attribution method must hold to, whoever wrote it."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.attribution.crediting import weight_sql
from campaigns.attribution.method import Journey, methods
from campaigns.attribution.paths import PathRow, score
from campaigns.attribution.shares import SHARE_UNITS, shares, values
from loyalty.kit.sql import fetch, sql

MODELS = list(methods)
JOURNEYS = st.lists(
    st.tuples(st.sampled_from(["email", "sms", "push", "letter"]), st.floats(0, 1e7)), min_size=1, max_size=40
).map(lambda touches: Journey([channel for channel, _ in touches], sorted((at for _, at in touches), reverse=True)))


def weights(model: str, journey: Journey) -> list[float]:
    method = methods.get(model)
    return method.weights(journey, method.parameters())


def test_the_three_models_are_there() -> None:
    assert {"first_touch", "last_touch", "linear"} <= set(MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_says_what_it_is(model: str) -> None:
    method = methods.get(model)
    assert str(method.label)
    assert str(method.sentence).endswith(".")


@pytest.mark.parametrize("model", MODELS)
@given(journey=JOURNEYS)
def test_credit_is_never_negative_and_sums_to_exactly_one(model: str, journey: Journey) -> None:
    found = weights(model, journey)
    assert len(found) == len(journey.channels)
    parts = shares(found)
    assert min(parts) >= 0
    assert sum(parts) == SHARE_UNITS


@pytest.mark.parametrize("model", MODELS)
@given(journey=JOURNEYS, value=st.integers(-(10**15), 10**15))
def test_value_is_split_exactly(model: str, journey: Journey, value: int) -> None:
    parts = values(value, shares(weights(model, journey)))
    assert sum(parts) == value
    assert all(part * value >= 0 for part in parts)


@pytest.mark.parametrize("model", MODELS)
@given(journey=JOURNEYS)
def test_channel_names_mean_nothing(model: str, journey: Journey) -> None:
    renamed = Journey([f"x{channel}" for channel in journey.channels], journey.seconds_before)
    assert weights(model, renamed) == weights(model, journey)


@pytest.mark.parametrize("model", MODELS)
def test_one_touch_gets_everything(model: str) -> None:
    assert shares(weights(model, Journey(["email"], [5.0]))) == [SHARE_UNITS]


@pytest.mark.parametrize("model", MODELS)
@given(
    rows=st.lists(
        st.builds(
            PathRow,
            st.lists(st.sampled_from("ABCD"), min_size=1, max_size=8).map(tuple),
            st.floats(0, 1e6),
            st.floats(0, 1e6),
            st.floats(0, 1e6),
        ),
        max_size=20,
    )
)
def test_scores_of_a_file_sum_to_its_conversions_and_value(model: str, rows: Sequence[PathRow]) -> None:
    method = methods.get(model)
    found = score(rows, method, method.parameters())
    assert math.fsum(one.conversions for one in found.values()) == pytest.approx(
        math.fsum(row.conversions for row in rows), rel=1e-9
    )
    assert math.fsum(one.value for one in found.values()) == pytest.approx(
        math.fsum(row.value for row in rows), rel=1e-9
    )
    doubled = score([*rows, *rows], method, method.parameters())
    assert {name: one.conversions for name, one in doubled.items()} == pytest.approx(
        {name: 2 * one.conversions for name, one in found.items()}
    )


@pytest.mark.django_db
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("length", [1, 2, 3, 7, 25])
def test_sql_and_python_agree(model: str, length: int) -> None:
    journey = Journey(["email"] * length, [3600.0 * (length - number) for number in range(length)])
    rows = fetch(
        sql(
            """SELECT {weight} FROM (
                SELECT t.position, t.seconds_before, count(*) OVER () AS touches
                FROM unnest({before}::float8[]) WITH ORDINALITY t (seconds_before, position)) t
            ORDER BY position""",
            weight=weight_sql(model),
            before=list(journey.seconds_before or ()),
        )
    )
    assert [row[0] for row in rows] == pytest.approx(weights(model, journey), rel=1e-12)
