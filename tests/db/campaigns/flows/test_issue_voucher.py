"""The step that issues vouchers: one for each visit, none for the holdout, another way when none is left."""

from typing import Any

import pytest

from campaigns.flows import engine, runs
from loyalty.kit.applying import apply_documents
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.offers import issuing, queries
from loyalty.offers.issuing import Brought
from tests.db.campaigns.flows.conftest import NOW, people, publish  # noqa: F401

pytestmark = pytest.mark.django_db
STEPS: list[dict[str, Any]] = [
    {"id": "voucher", "type": "issue_voucher", "pool": "ten", "exits": {"none": "bye"}},
    {"id": "rest", "type": "wait", "for": "30d"},
    {"id": "bye", "type": "exit"},
]


def pool(**codes: Any) -> None:
    document = {"kind": "voucher_pool", "key": "ten", "benefit": {"type": "percent", "percent": 10}, "codes": codes}
    apply_documents([document], now=NOW)


def run() -> None:
    while runs.advance_runs(now=NOW):
        pass
    while engine.advance(now=NOW):
        pass


def test_everybody_gets_one_and_templates_find_it(people, publish) -> None:  # noqa: F811
    pool(pattern="FLOW-??????????")
    people(20)
    publish(STEPS)
    run()
    run()
    rows = fetch("SELECT e.id, v.code, v.customer_id = e.customer_id FROM enrollment e"
                 " JOIN voucher v ON v.origin_id = e.id ORDER BY e.id")  # fmt: skip
    assert len(rows) == len({row[1] for row in rows}) == 20
    assert all(row[2] for row in rows)
    found = queries.of_origins([row[0] for row in rows[:3]])
    assert [found[row[0]]["code"] for row in rows[:3]] == [row[1] for row in rows[:3]]
    assert found[rows[0][0]]["percent"] == 10


def test_who_comes_to_an_empty_stock_takes_the_other_way(people, publish) -> None:  # noqa: F811
    pool(type="imported")
    people(5)
    publish(STEPS)
    run()
    assert fetch("SELECT status, count(*) FROM enrollment GROUP BY 1") == [(3, 5)]
    issuing.bring("ten", [Brought("AAAA1"), Brought("BBBB2")], now=NOW)
    assert fetch("SELECT count(*) FROM voucher WHERE state = 0") == [(2,)]


def test_a_pool_that_is_not_there_is_told_at_once(publish) -> None:  # noqa: F811
    with pytest.raises(Problems, match="there is no voucher pool 'ten'"):
        publish(STEPS)
