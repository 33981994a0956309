"""The curve by hand, its bounds, and the books that always close."""

from datetime import date
from decimal import Decimal as D

from hypothesis import given
from hypothesis import strategies as st

from loyalty.finance import books, breakage
from loyalty.finance.books import Flow
from loyalty.finance.breakage import Cell, curve, flat
from loyalty.program import names

JAN, FEB, MAR = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)


def test_the_curve_by_hand() -> None:
    # January: 1,000 came, 200 spent; February: 400 of the 800 left spent, 80 expired. February's 500: 100 spent.
    cohorts = {
        JAN: {0: Cell(1000, 200, 0), 1: Cell(0, 400, 80)},
        FEB: {0: Cell(500, 100, 0)},
    }
    found = curve(cohorts, through=FEB, tail="redeem")
    assert list(found.spent) == [0.2, 0.5]
    assert list(found.lost) == [0.0, 0.1]
    # Older than two months: nobody knows, so all of them; age 1: 0.5 + 0.4 * 1; age 0: 0.2 + 0.8 * 0.9.
    assert [round(value, 9) for value in found.values] == [0.92, 0.9, 1.0]
    trend = curve(cohorts, through=FEB, tail="trend")
    # Of what left in these months 0.7 / 0.8 was spent.
    assert [round(value, 9) for value in trend.values] == [0.88, 0.85, 0.875]
    assert found.at(99) == 1.0


def test_without_history_every_point_counts() -> None:
    assert list(curve({}, through=FEB, tail="trend").values) == [1.0]
    assert list(curve({JAN: {0: Cell(99, 0, 99)}}, through=FEB, tail="redeem").values) == [1.0]


cells = st.lists(st.tuples(st.integers(0, 5000), st.floats(0, 1), st.floats(0, 1)), max_size=12)


def _cohort(parts: list[tuple[int, float, float]]) -> dict[int, Cell]:
    found, stock = {}, 0
    for age, (came, spent, lost) in enumerate(parts):
        stock += came
        taken = int(stock * spent)
        gone = int((stock - taken) * lost)
        stock -= taken + gone
        found[age] = Cell(came, taken, gone)
    return found


@given(st.lists(cells, max_size=5), st.sampled_from(["redeem", "trend"]))
def test_a_chance_is_between_0_and_1(parts: list[list[tuple[int, float, float]]], tail: str) -> None:
    months = [date(2025, number + 1, 1) for number in range(5)]
    cohorts = {month: _cohort(one) for month, one in zip(months, parts, strict=False)}
    found = curve(cohorts, through=date(2025, 12, 1), tail=tail)
    assert all(0.0 <= value <= 1.0 for value in found.values)
    assert all(spent + lost <= 1.0 + 1e-9 for spent, lost in zip(found.spent, found.lost, strict=True))


FLOWS = [
    Flow(JAN, JAN, names.ISSUED, True, 1000),
    Flow(JAN, JAN, names.SPENT, False, 200),
    Flow(JAN, FEB, names.SPENT, False, 400),
    Flow(JAN, FEB, names.EXPIRED, False, 80),
    Flow(FEB, FEB, names.ISSUED, True, 500),
    Flow(FEB, FEB, names.REVERSED, False, 50),
]


def test_a_month_by_hand() -> None:
    found = books.close(
        "points", FLOWS, month=FEB, cost=D("0.01"), before=flat(0.9), after=breakage.Curve([0.9, 0.8, 0.5]),
        opening=D("7.20"),
    )  # fmt: skip
    # 320 of January at their third month (0.5), 450 of February at their second (0.8).
    assert found.closing == D("5.20")
    assert found.points == 770
    assert [(row.line, row.points, row.amount) for row in found.rows] == [
        ("issued", 500, D("4.50")),
        ("returned", -50, D("-0.45")),
        ("redeemed", -400, D("-3.60")),
        ("expired", -80, D("-0.72")),
        ("estimate", None, D("-1.73")),
    ]
    assert found.opening + sum(row.amount for row in found.rows) == found.closing


def test_bookings_have_two_sides() -> None:
    accounts = {"liability": "3500", "issue": "4700", "redemption": "4000", "breakage": "4900", "correction": "1"}
    rows = [{"line": "issued", "amount": "4.50"}, {"line": "redeemed", "amount": "-3.60"}]
    assert [(row["debit"], row["credit"], row["amount"]) for row in books.bookings(rows, accounts)] == [
        ("4700", "3500", D("4.50")),
        ("3500", "4000", D("3.60")),
    ]


flows = st.lists(
    st.tuples(
        st.sampled_from([JAN, FEB, MAR]),
        st.integers(0, 2),
        st.sampled_from([names.ISSUED, names.SPENT, names.EXPIRED, names.REVERSED, names.ADJUSTED, names.TRANSIT]),
        st.booleans(),
        st.integers(1, 10_000),
    ),
    max_size=30,
)


@given(flows, st.decimals(0, 1, places=4), st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_months_always_close(rows: list[tuple[date, int, int, bool, int]], cost: D, chances: list[float]) -> None:
    given_flows = [
        Flow(cohort, date(2026, min(3, cohort.month + later), 1), counter, incoming, points)
        for cohort, later, counter, incoming, points in rows
    ]
    opening, after = D(0), breakage.Curve(chances)
    for month in (JAN, FEB, MAR):
        found = books.close("points", given_flows, month=month, cost=cost, before=after, after=after, opening=opening)
        assert opening + sum((row.amount for row in found.rows), D(0)) == found.closing
        opening = found.closing
    assert sum(books.stock(given_flows, through=MAR).values()) == sum(flow.signed for flow in given_flows)
