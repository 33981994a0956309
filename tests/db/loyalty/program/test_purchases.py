"""Purchases: what they earn, that they happen once, what is refused."""

import pytest

from loyalty.kit.sql import fetch
from loyalty.program import purchases
from tests.db.loyalty.program.club import BASE, NOW, applied, balance, buy, customer, facts_of, violations

pytestmark = pytest.mark.django_db


def test_a_purchase_earns_points_and_stands_in_the_timeline() -> None:
    setup = applied(BASE)
    customer("anna")
    booking_id = buy(setup, "r1", "anna", "49.99", store="cologne", channel="pos")
    assert balance("anna") == (0, 49, 0, 0)
    assert facts_of("anna", "points.earned") == [{"program": "club", "wallet": "points", "points": 49, "balance": 49}]
    assert facts_of("anna", "purchase") == [
        {"amount": 49.99, "currency": "EUR", "store": "cologne", "channel": "pos", "transaction": "r1"}
    ]
    assert fetch("SELECT expires_at FROM lot WHERE booking_id = %(id)s", {"id": booking_id})[0][0].isoformat() == (
        "2029-12-31T23:00:00+00:00"
    )
    assert violations() == {}
