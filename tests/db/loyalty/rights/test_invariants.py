"""What watches over people's rights finds damage."""

from datetime import UTC, datetime

import pytest

from loyalty.customers import joining
from loyalty.customers.operations import upsert_customers
from loyalty.kit.checks import invariants
from loyalty.kit.sql import execute, fetch
from loyalty.rights.operations import file_request

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def violations() -> dict[str, int]:
    return {one.key: len(fetch(one.query)) for one in invariants() if one.key.startswith("rights.")}


@pytest.fixture(autouse=True)
def world() -> None:
    ids = upsert_customers([{"external_id": "a"}, {"external_id": "b"}], now=NOW, source="t").ids
    file_request(kind="access", customer_id=ids[0] or 0, now=NOW, actor="ada")
    joining.join(customer_id=ids[0] or 0, other_id=ids[1] or 0, now=NOW, actor="ada")


def test_a_sound_desk_violates_nothing() -> None:
    assert violations() == {
        "rights.merges_are_over": 0,
        "rights.one_month": 0,
        "rights.requests_of_the_living": 0,
        "rights.the_gone_are_gone": 0,
    }


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("INSERT INTO customer (id, created_at, updated_at) SELECT loser_id, now(), now() FROM customer_merge",
         {"rights.merges_are_over", "rights.the_gone_are_gone"}),
        ("UPDATE rights_request SET customer_id = 0", {"rights.requests_of_the_living"}),
        ("UPDATE rights_request SET due_at = due_at + interval '2 days'", {"rights.one_month"}),
    ],
)  # fmt: skip
def test_damage_is_found(damage: str, found: set[str]) -> None:
    execute(damage)
    assert {key for key, count in violations().items() if count} == found
