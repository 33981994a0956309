"""Erased people leave no enrollment behind, and the numbers of the flow still add up."""

from datetime import timedelta
from typing import Any

from campaigns.flows import operations, queries
from loyalty.customers.erasing import erase_customers
from loyalty.kit.checks import invariants, verdict
from loyalty.kit.sql import fetch

from .test_engine import NOW, SEND, advance

ENTRY = [{"segment_entered": "everybody"}, {"api": True}]


def test_the_counters_forget_erased_people_wherever_they_stand(people: Any, publish: Any, enter: Any) -> None:
    early = people(3)
    flow = publish([SEND, {"id": "rest", "type": "wait", "for": "1d"}], entry=ENTRY)
    enter()
    advance(NOW + timedelta(days=2))
    late = people(4)
    operations.enroll(key="test", customer_ids=late, now=NOW + timedelta(days=2))
    before = queries.stats(flow)
    assert (before["entered"], before["active"], before["finished"]) == (7, 4, 3)
    assert erase_customers(customer_ids=[early[0], late[0], late[1]])
    after = queries.stats(flow)
    assert (after["entered"], after["active"], after["finished"]) == (4, 2, 2)
    assert {step["id"]: step["waiting"] for step in after["steps"]} == {SEND["id"]: 0, "rest": 2}
    assert after["messages"]["planned"] == 4
    assert fetch("SELECT count(*) FROM enrollment") == [(4,)]
    assert [check.key for check in invariants() if not verdict(check).holds] == []
