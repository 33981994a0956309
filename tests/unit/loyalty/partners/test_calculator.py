"""Join or own: figures by hand, and where it pays for itself."""

from dataclasses import replace
from decimal import Decimal as D

from hypothesis import given
from hypothesis import strategies as st

from loyalty.partners.calculator import Business, Way, needed_uplift, years
from loyalty.partners.contract import Standing, allowed, released
from loyalty.partners.definition import Passed
from loyalty.partners.statements import bill

BUSINESS = Business(1000, D(100), D(50))
WAY = Way((D(100), D(100), D(100)), D(10), D(1), D(0), D(0), D(500), D(100), D(0))


def test_a_year_by_hand() -> None:
    first, second, third = years(BUSINESS, WAY)
    # 500 members on average buy for 50,000 and 5,000 more: 2,500 of margin, 550 of points, 600 to run it.
    assert (first.members, first.gain, first.points, first.running, first.result) == (500, 2500, 550, 600, 1350)
    assert (second.members, second.result, second.total) == (1000, 5000 - 1100 - 100, 5150)
    assert third.total == 8950


def test_it_never_pays_when_a_point_costs_the_margin() -> None:
    assert needed_uplift(BUSINESS, replace(WAY, reward=D(50))) is None


@given(st.integers(1, 40), st.integers(1, 20), st.integers(0, 100_000))
def test_with_the_needed_uplift_it_pays_for_itself(margin: int, reward: int, setup: int) -> None:
    business = replace(BUSINESS, customers=100_000, margin=D(margin))
    way = replace(WAY, reward=D(reward), setup=D(setup))
    needed = needed_uplift(business, way)
    if needed is None:
        assert reward >= margin
        return
    total = years(business, replace(way, uplift=needed))[-1].total
    assert abs(total) <= 20_000 or needed == 0


@given(st.booleans(), st.booleans())
def test_nobody_sees_more_than_the_contract_says(enrolled: bool, consented: bool) -> None:
    fields = [
        Passed.model_validate({"field": name, "to": to, "why": {"en": "x"}})
        for name, to in (("tier", "members"), ("first_name", "enrolled"), ("email", "consented"))
    ]
    names = allowed(fields, Standing(enrolled, consented))
    assert ("email" in names) == consented
    assert ("first_name" in names) == (enrolled or consented)
    person = {"email": "a@b.de", "first_name": "A", "last_name": "B", "attributes": {}}
    assert set(released(names, person, {"tier": None})) <= {"email", "first_name"}


def test_a_bill_rounds_each_line() -> None:
    rows = [(1, D("0.003333"), 100, D("0.3333")), (3, D("0.01"), 33, D("0.333")), (5, None, None, D("0.03333"))]
    found = bill(rows, tax=D(19))
    assert [line["amount"] for line in found.lines] == ["0.33", "-0.33", "0.03"]
    assert (found.net, found.tax, found.gross) == (D("0.03"), D("0.01"), D("0.04"))
    assert found.rounding == D("0.3333") - D("0.333") + D("0.03333") - D("0.03")
