"""What flows bring to the program against the people they hold out: exact sums, honest verdicts."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from campaigns.attribution.uplift import flows_against_holdout
from loyalty.finance import uplift
from loyalty.kit.sql import execute, fetch, sql
from loyalty.program.setup import Setup
from tests.db.loyalty.program import club

pytestmark = pytest.mark.django_db
START, END = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
ENTERED = datetime(2026, 2, 3, tzinfo=UTC)


def flow(key: str, holdout: float) -> int:
    return int(
        fetch(
            sql(
                "INSERT INTO flow (key, name, state, definition, created_at, updated_at)"
                " VALUES ({key}, {name}, 'running', {definition}, {now}, {now}) RETURNING id",
                key=key,
                name=Jsonb({"en": key.title()}),
                definition=Jsonb({"holdout": holdout}),
                now=START,
            )
        )[0][0]
    )


def enter(flow_id: int, who: str, holdout: bool, number: int, at: datetime = ENTERED) -> None:
    execute(
        sql(
            "INSERT INTO enrollment (id, flow_id, version_id, customer_id, entry_key, entry_no, node, status, visit,"
            " holdout, entered_at, since) SELECT {id}, {flow}, 1, c.id, 0, {id}, 0, 2, 1, {held}, {at}, {at}"
            " FROM customer c WHERE c.external_id = {who}",
            id=number,
            flow=flow_id,
            held=holdout,
            at=at,
            who=who,
        )
    )


def world(people: int, treated: float, held: float, **purchase: Any) -> Setup:
    """Half of the people went through the flow and bought for `treated`, half were held out and bought for `held`."""
    setup = club.applied(club.BASE)
    number = flow("nudge", 0.5)
    flow("plain", 0)
    for place in range(people):
        who, out = f"p{place}", place % 2 == 1
        club.customer(who)
        enter(number, who, out, place + 1)
        amount = (held if out else treated) + place % 4 // 2
        when = (ENTERED + timedelta(days=2)).isoformat()
        club.buy(setup, f"b{place}", who, amount, occurred_at=when, **purchase)
        # Before the entry, and after the four weeks: no part of it.
        club.buy(setup, f"c{place}", who, 999, occurred_at=(ENTERED - timedelta(days=1)).isoformat())
        club.buy(setup, f"d{place}", who, 999, occurred_at=(ENTERED + timedelta(days=29)).isoformat())
    return setup


def test_revenue_where_no_purchase_tells_its_margin() -> None:
    world(120, 12, 10)
    [found] = flows_against_holdout("club", START, END)
    assert (found.source, found.people, found.others, found.amount) == ("flow:nudge", 60, 60, Decimal("120.00"))
    assert (found.verdict, found.of, found.counted, found.name) == ("more", "revenue", 0, {"en": "Nudge"})
    assert found.low is not None and found.high is not None and found.low < 120 < found.high


def test_margin_where_purchases_tell_it() -> None:
    setup = world(120, 12, 10, margin=4)
    [found] = flows_against_holdout("club", START, END)
    # Everybody's purchase tells the same margin, and the rest of them lie outside: no difference at all.
    assert (found.of, found.amount, found.verdict) == ("margin", 0, "unclear")
    for place in range(0, 120, 2):
        when = (ENTERED + timedelta(days=4)).isoformat()
        club.buy(setup, f"e{place}", f"p{place}", 20, occurred_at=when, margin=5)
    [found] = flows_against_holdout("club", START, END)
    assert (found.amount, found.counted, found.verdict) == (300, 300, "more")
    # What came back brought nothing.
    club.give_back(setup, "back", "e0")
    assert flows_against_holdout("club", START, END)[0].amount == 295


def test_few_people_are_shown_and_not_counted() -> None:
    world(20, 12, 10, margin=4)
    [found] = flows_against_holdout("club", START, END)
    assert (found.verdict, found.people, found.others, found.counted) == ("few", 10, 10, 0)


def test_the_result_of_the_program_asks() -> None:
    world(120, 12, 10)
    assert [one.source for one in uplift.of_time("club", START, END)] == ["flow:nudge"]
    assert flows_against_holdout("other", START, END) == []
    # Somebody's four weeks go on in the next month.
    [found] = flows_against_holdout("club", END, END + timedelta(days=31))
    assert (found.people, found.amount) == (60, 0)
