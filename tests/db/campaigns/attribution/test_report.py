"""The report: its sums, its rows, other windows, and what it reconciles."""

from decimal import Decimal as D

import pytest

from campaigns.attribution import queries
from loyalty.kit.sql import execute
from tests.db.campaigns.attribution.conftest import NOW, Shop, ago, goal, settle

pytestmark = pytest.mark.django_db


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """Anna was touched by welcome and text and spends 90, ben by nudge and spends 10, cleo by nothing and spends 5."""
    goal()
    people = {name: shop.person(name) for name in ("anna", "ben", "cleo")}
    shop.click(people["anna"], "welcome", ago(days=3))
    shop.click(people["anna"], "text", ago(days=2))
    shop.click(people["ben"], "nudge", ago(days=2))
    shop.buy("anna", ago(days=1), 90)
    shop.buy("ben", ago(days=1), 10)
    shop.buy("cleo", ago(hours=5), 5)
    settle()
    return shop


@pytest.mark.parametrize("model", ["first_touch", "last_touch", "linear"])
def test_every_breakdown_sums_to_the_goal_events(sold: Shop, model: str) -> None:
    report = queries.report(goal="order", model=model, start=None, end=NOW)
    for rows in (report.channels, report.campaigns, report.flows, report.messages):
        assert sum(row.conversions for row in rows.values()) == 3
        assert sum(row.revenue for row in rows.values()) == 105
        assert sum(row.share for row in rows.values()) == pytest.approx(1)
    assert (report.total.conversions, report.total.revenue, report.total.share) == (3, 105, 1.0)
    found = report.reconciliation
    assert (found.goal_events, found.goal_value) == (3, D(105))
    assert (found.conversions_difference, found.revenue_difference) == (0, 0)
    assert (found.waiting, found.uncredited) == (0, 0)


def test_rows_of_the_linear_model(sold: Shop) -> None:
    report = queries.report(goal="order", model="linear", start=None, end=NOW)
    assert {key: (row.conversions, row.revenue) for key, row in report.channels.items()} == {
        ("email",): (D("1.5"), D(55)),
        ("sms",): (D("0.5"), D(45)),
        ("none",): (D(1), D(5)),
    }
    assert list(report.channels) == [("email",), ("none",), ("sms",)]
    assert {key: row.conversions for key, row in report.messages.items()} == {
        ("winback", "welcome", "email"): D("0.5"),
        ("winback", "text", "sms"): D("0.5"),
        ("winback", "nudge", "email"): D(1),
        (None, None, "none"): D(1),
    }
    assert report.campaigns["autumn",].revenue == 100
    assert report.flows["winback",].conversions == 2


def test_the_period_is_closed_at_its_start_and_open_at_its_end(sold: Shop) -> None:
    day = queries.report(goal="order", model="last_touch", start=ago(days=1), end=ago(hours=5))
    assert (day.total.conversions, day.reconciliation.goal_events) == (2, 2)
    rest = queries.report(goal="order", model="last_touch", start=ago(hours=5), end=NOW)
    assert (rest.total.conversions, rest.total.revenue) == (1, 5)
    none = queries.report(goal="order", model="last_touch", start=ago(hours=4), end=NOW)
    assert (none.total.conversions, none.channels, none.reconciliation.conversions_difference) == (0, {}, 0)


def test_another_window_is_worked_out_for_this_answer_only(sold: Shop) -> None:
    from datetime import timedelta

    short = queries.report(goal="order", model="linear", start=None, end=NOW, window=timedelta(hours=30))
    assert {key: row.conversions for key, row in short.channels.items()} == {("email",): 1, ("sms",): 1, ("none",): 1}
    longer = queries.report(goal="order", model="first_touch", start=None, end=NOW, window=timedelta(days=60))
    assert longer.messages["winback", "welcome", "email"].conversions == 1
    assert longer.reconciliation.conversions_difference == 0
    same = queries.report(goal="order", model="linear", start=None, end=NOW, window=timedelta(days=7))
    assert same == queries.report(goal="order", model="linear", start=None, end=NOW)
    assert same.channels["sms",].conversions == D("0.5")


def test_what_has_not_been_credited_yet_is_told(sold: Shop) -> None:
    sold.buy("cleo", ago(hours=1), 7)
    found = queries.report(goal="order", model="linear", start=None, end=NOW).reconciliation
    assert (found.goal_events, found.conversions, found.waiting) == (4, 3, 1)
    assert (found.conversions_difference, found.revenue_difference) == (-1, -7)
    execute("INSERT INTO stale_conversion (conversion_id) SELECT id FROM conversion")
    assert queries.report(goal="order", model="linear", start=None, end=NOW).reconciliation.uncredited == 3
    settle()
    found = queries.report(goal="order", model="linear", start=None, end=NOW).reconciliation
    assert (found.conversions_difference, found.revenue_difference, found.waiting, found.uncredited) == (0, 0, 0, 0)
