"""Budgets of rules: how fast they go, when they are used up, who is told."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from loyalty.kit.sql import fetch, sql
from loyalty.program import budgets, diagnoses
from loyalty.program.setup import load
from tests.db.loyalty.program.club import BASE, NOW, applied, buy, customer, give_back

WORTH = [{"key": "points", "value": 0.02}]


def forecast(days: int) -> budgets.Forecast:
    (found,) = budgets.forecasts(load(), now=NOW + timedelta(days=days)).values()
    return found


@pytest.mark.django_db
def test_the_pace_and_the_last_day() -> None:
    setup = applied({**BASE, "budget": {"money": 60}}, {**BASE, "key": "free"}, wallets=WORTH)
    customer("anna")
    assert forecast(0).per_day == 0
    assert (forecast(0).empty_on, forecast(0).soon) == (None, False)
    for day in range(10):
        buy(setup, f"t{day}", "anna", 100, now=NOW + timedelta(days=day))
        assert budgets.note(setup, now=NOW + timedelta(days=day)) == 0
    found = forecast(10)
    assert (found.limit, found.used, found.rest, found.percent) == (3000, 1000, 2000, 33)
    assert (found.per_day, found.empty_on, found.soon) == (Decimal(100), date(2026, 4, 9), False)
    assert (found.money(found.limit), found.money(found.per_day)) == (Decimal(60), Decimal(2))
    assert [points for _, points in budgets.by_day(setup.rules[0].id, today=date(2026, 3, 20))] == [100] * 9
    # What counts is the last four weeks: nothing was given since the tenth day.
    for day in range(10, 41):
        budgets.note(setup, now=NOW + timedelta(days=day))
    assert forecast(41).per_day == 0


@pytest.mark.django_db
def test_a_budget_that_ends_is_told_and_stops(caplog: Any) -> None:
    setup = applied({**BASE, "budget": {"points": 1000}}, wallets=WORTH)
    customer("anna")
    buy(setup, "t1", "anna", 800)
    found = forecast(4)
    assert (found.per_day, found.empty_on, found.soon, found.empty) == (Decimal(200), date(2026, 3, 15), True, False)
    buy(setup, "t2", "anna", 300)
    assert budgets.note(setup, now=NOW) == 1
    assert budgets.note(setup, now=NOW) == 0
    assert "an earning rule stopped: its budget is used up" in caplog.text
    found = forecast(0)
    assert (found.rest, found.empty, found.soon, found.empty_since) == (0, True, True, NOW)
    assert next(iter(diagnoses.programs())).text == "rule base: its budget is used up, it gives nothing"
    give_back(setup, "r1", "t1")
    assert budgets.note(setup, now=NOW) == 0
    assert fetch(sql("SELECT used_points, budget_empty_at FROM earning_rule")) == [(200, None)]
