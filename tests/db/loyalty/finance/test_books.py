"""The books follow the points ledger, close once, and always add up."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from loyalty.finance import operations, uplift
from loyalty.finance.models import BookMonth, PointFlow
from loyalty.kit.applying import apply_documents
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.program import movements
from loyalty.program.setup import Setup
from tests.db.loyalty.partners.world import club, settle, violations
from tests.db.loyalty.program.club import NOW, buy, customer, give_back, member_of

pytestmark = pytest.mark.django_db
JAN, FEB, MAR, APR = (datetime(2026, month, 10, 12, tzinfo=UTC) for month in (1, 2, 3, 4))
VALUED = {"kind": "valuation", "key": "club", "costs": {"points": 0.02}, "breakage": {"method": "none"}}


def months() -> list[tuple[date, Decimal, Decimal, int, bool]]:
    return [
        (one.month, one.opening, one.closing, one.points, one.closed_at is not None)
        for one in BookMonth.objects.order_by("month")
    ]


def rows(month: datetime) -> list[tuple[str, int | None, str]]:
    found = BookMonth.objects.get(month=month.date().replace(day=1))
    return [(row["line"], row["points"], row["amount"]) for row in found.rows]


def trade(setup: Setup) -> None:
    """January: 1,000 earned. February: 300 spent, a purchase of 100 comes and goes. March: 500 more."""
    customer("anna")
    buy(setup, "r1", "anna", 1000, now=JAN)
    movements.spend(setup=setup, member_id=member_of("anna"), wallet=None, points=300, now=FEB)
    buy(setup, "r2", "anna", 100, now=FEB)
    give_back(setup, "b2", "r2", now=FEB)
    buy(setup, "r3", "anna", 500, now=MAR)


def test_months_are_computed_and_closed() -> None:
    setup = club(VALUED)
    trade(setup)
    done = operations.measure(setup=setup, now=MAR)
    assert done == operations.Measured(months=3, closed=2)
    assert months() == [
        (date(2026, 1, 1), Decimal(0), Decimal("20.00"), 1000, True),
        (date(2026, 2, 1), Decimal("20.00"), Decimal("14.00"), 700, True),
        (date(2026, 3, 1), Decimal("14.00"), Decimal("24.00"), 1200, False),
    ]
    assert rows(JAN) == [("issued", 1000, "20.00")]
    assert rows(FEB) == [("issued", 100, "2.00"), ("returned", -100, "-2.00"), ("redeemed", -300, "-6.00")]
    february = BookMonth.objects.get(month=date(2026, 2, 1))
    assert (february.issued, february.spent, february.expired) == (0, 300, 0)
    assert february.ages == [
        {
            "wallet": "points",
            "cohort": "2026-01-01",
            "age": 1,
            "points": 700,
            "chance": 1.0,
            "worth": "14.00",
            "amount": "14.00",
        }
    ]
    assert violations() == {}


def test_a_closed_month_stays_and_an_open_one_follows() -> None:
    setup = club(VALUED)
    trade(setup)
    operations.measure(setup=setup, now=MAR)
    before = BookMonth.objects.filter(closed_at__isnull=False).order_by("month").values()
    before = [dict(one) for one in before]
    assert operations.measure(setup=setup, now=MAR, only_due=True) is None
    apply_documents([{**VALUED, "costs": {"points": 0.04}}], now=MAR)
    buy(setup, "r4", "anna", 100, now=MAR)
    assert operations.measure(setup=setup, now=MAR, only_due=True) == operations.Measured(1, 0)
    assert [dict(one) for one in BookMonth.objects.filter(closed_at__isnull=False).order_by("month").values()] == before
    # The dearer point is a change of the estimate of what was there before: 700 points at 2 cents more.
    assert rows(MAR) == [("issued", 600, "24.00"), ("estimate", None, "14.00")]
    assert months()[2][1:4] == (Decimal("14.00"), Decimal("52.00"), 1300)
    assert operations.measure(setup=setup, now=APR) == operations.Measured(2, 1)
    assert violations() == {}


def test_points_that_expire_and_are_forgotten() -> None:
    from loyalty.customers.erasing import erase_customers

    expiry = {"after": "1 months", "until": "month"}
    setup = club(VALUED)
    anna, ben = customer("anna"), customer("ben")
    apply_documents([{"kind": "earning_rule", "key": "base", "type": "per_purchase", "points": 1, "expiry": expiry}],
                    now=JAN)  # fmt: skip
    from loyalty.program.setup import load

    setup = load()
    buy(setup, "r1", "anna", 100, now=JAN)
    buy(setup, "r2", "ben", 50, now=JAN)
    assert movements.expire(setup, now=MAR) == 2
    operations.measure(setup=setup, now=MAR)
    assert rows(MAR) == [("expired", -150, "-3.00")]
    buy(setup, "r3", "anna", 70, now=MAR)
    erase_customers(customer_ids=[anna, ben])
    operations.measure(setup=setup, now=MAR)
    assert sum(PointFlow.objects.filter(counter=13).values_list("points", flat=True)) in (150, 220)
    assert violations() == {}


def test_the_curve_lowers_what_is_owed() -> None:
    setup = club({**VALUED, "breakage": {"method": "history", "tail": "trend"}})
    trade(setup)
    movements.take_back(
        setup=setup, member_id=member_of("anna"), wallet_id=setup.wallet_ids["points"], points=100, reason="x",
        actor="me", now=FEB,
    )  # fmt: skip
    operations.measure(setup=setup, now=MAR)
    found = {one.month.month: one for one in BookMonth.objects.all()}
    # January: nothing was ever spent, so every point counts. February: of 1,000 points 300 were spent, 100 taken; of
    # 100 new ones 100 came back. So 0.3 / (0.3 + 0.1 + ...) of what leaves is spent.
    assert found[1].closing == Decimal("20.00")
    assert found[2].curves["points"][-1] == pytest.approx(0.3 / (0.3 + 0.1 + 100 / 1100), abs=1e-4)
    assert found[2].closing < Decimal("12.00")
    assert found[2].opening + sum(Decimal(row["amount"]) for row in found[2].rows) == found[2].closing
    assert violations() == {}


def test_the_result_of_a_month() -> None:
    setup = club(VALUED)
    customer("anna")
    buy(setup, "r1", "anna", 1000, store="bakery-1", now=FEB)
    buy(setup, "r2", "anna", 0, store="own-shop", spend=100, now=FEB)
    buy(setup, "r3", "anna", 0, store="pump", spend=50, now=FEB)
    settle()
    uplift.measure_uplift("test", lambda key, start, end: [uplift.Uplift("flow", Decimal("5"), 3)])
    try:
        operations.measure(setup=setup, now=MAR)
    finally:
        uplift.forget_uplift("test")
    month = BookMonth.objects.get(month=date(2026, 2, 1))
    assert [(one["key"], one["amount"], one["quantity"]) for one in month.lines] == [
        ("uplift", "5.00", 3),
        ("partner_points", "10.00", 1000),
        ("partner_fees", "1.00", None),
        ("partner_redemptions", "-0.50", 50),
        ("points_issued", "-20.00", 1000),
        ("points_released", "3.00", -150),
        ("payments", "-1.00", 100),
    ]
    assert month.result == Decimal("-2.50")


def test_the_cost_of_rewards_is_read_where_there_are_any() -> None:
    from loyalty.finance.pnl_line import there

    assert there("reward", "reward_redemption") in (True, False)
    assert there("reward", "no_such_table") is False


def test_a_valuation_names_a_program_and_its_wallets() -> None:
    club()
    with pytest.raises(Problems, match="there is no program 'clob'"):
        apply_documents([{**VALUED, "key": "clob"}], now=NOW)
    with pytest.raises(Problems, match="is no wallet of the program"):
        apply_documents([{**VALUED, "costs": {"stars": 1}}], now=NOW)
    with pytest.raises(Problems, match="did you mean 'breakage'"):
        apply_documents([{**VALUED, "breakge": {}}], now=NOW)
    assert apply_documents([VALUED], now=NOW)[0].verdict == "created"
    assert apply_documents([VALUED], now=NOW)[0].verdict == "unchanged"


def test_the_chore_is_idle_when_nothing_is_due() -> None:
    from loyalty.finance.tasks import measure

    setup = club(VALUED)
    trade(setup)
    assert measure(now=MAR) == 2
    assert measure(now=MAR) == 0
    assert fetch("SELECT count(*) FROM book_month") == [(3,)]
