"""The settlement ledger: exact amounts, once each, returns at the prices of the purchase."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from loyalty.kit.applying import apply_documents
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch, sql
from loyalty.partners import names, settlement, statements
from loyalty.partners.models import SettlementEntry, Statement
from tests.db.loyalty.partners.world import BAKERY, NOW, club, partner, settle, violations
from tests.db.loyalty.program.club import buy, customer, give_back

pytestmark = pytest.mark.django_db
APRIL = datetime(2026, 4, 4, 12, tzinfo=UTC)


def entries() -> list[tuple[str, str, int | None, Decimal]]:
    rows = fetch(
        sql(
            "SELECT p.key, e.kind, e.points, e.amount FROM settlement_entry e JOIN partner p ON p.id = e.partner_id"
            " WHERE e.kind <= 6 ORDER BY e.booking_id, e.kind"
        )
    )
    return [(key, names.KINDS[kind], points, amount.normalize()) for key, kind, points, amount in rows]


def test_purchases_returns_and_spending_become_money() -> None:
    setup = club()
    customer("anna")
    buy(setup, "r1", "anna", items=[{"sku": "a", "amount": 80}, {"sku": "b", "amount": 40}], store="bakery-1")
    buy(setup, "r2", "anna", 500, store="own-shop")
    buy(setup, "r3", "anna", 0, store="pump", spend=50)
    assert settle() == 3
    assert entries() == [
        ("bakery", "issue", 120, Decimal("1.2")),
        ("bakery", "fee", None, Decimal("0.12")),
        ("fuel", "burn", 50, Decimal("0.5")),
    ]
    give_back(setup, "b1", "r1", [{"sku": "b"}])
    give_back(setup, "b3", "r3")
    settle()
    assert entries()[3:] == [
        ("bakery", "return", 40, Decimal("0.4")),
        ("bakery", "fee_back", None, Decimal("0.04")),
        ("fuel", "refund", 50, Decimal("0.5")),
    ]
    assert statements.balances(partner().pk) == {"unbilled": Decimal("0.88"), "billed": Decimal(0)}
    assert statements.balances(partner("fuel").pk)["unbilled"] == 0
    assert violations() == {}


def test_settling_again_changes_nothing() -> None:
    setup = club()
    customer("anna")
    buy(setup, "r1", "anna", 100, store="bakery-1")
    settle()
    before = entries()
    assert settle() == 0
    assert settlement.catch_up(partner_id=partner().pk, since=datetime(2026, 1, 1, tzinfo=UTC)) == 0
    assert entries() == before


def test_a_return_has_the_price_of_its_purchase() -> None:
    setup = club()
    customer("anna")
    buy(setup, "r1", "anna", 100, store="bakery-1")
    later = [*BAKERY["rates"], {"from": "2026-04-01", "earn": 0.05, "burn": 0.04}]
    apply_documents([{**BAKERY, "rates": later}], now=NOW)
    give_back(setup, "b1", "r1", now=APRIL)
    buy(setup, "r2", "anna", 100, store="bakery-1", now=APRIL)
    settle()
    assert [(kind, amount) for _, kind, _, amount in entries()] == [
        ("issue", Decimal("1")),
        ("fee", Decimal("0.1")),
        ("return", Decimal("1")),
        ("fee_back", Decimal("0.1")),
        ("issue", Decimal("5")),
    ]


def test_shops_added_late_are_caught_up() -> None:
    setup = club()
    customer("anna")
    buy(setup, "r1", "anna", 100, store="bakery-3")
    settle()
    assert entries() == []
    apply_documents([{**BAKERY, "stores": ["bakery-1", "bakery-3"]}], now=NOW)
    assert settlement.catch_up(partner_id=partner().pk, since=datetime(2026, 1, 1, tzinfo=UTC)) == 2
    assert entries()[0] == ("bakery", "issue", 100, Decimal(1))


def test_the_monthly_statement() -> None:
    setup = club()
    customer("anna")
    for number in range(3):
        buy(setup, f"r{number}", "anna", "33.00", store="bakery-1")
    buy(setup, "late", "anna", 1000, store="bakery-2", now=datetime(2026, 4, 1, 0, tzinfo=UTC))
    settle()
    assert statements.close_due(now=datetime(2026, 4, 2, tzinfo=UTC)) == 0
    assert statements.close_due(now=APRIL) == 1
    assert statements.close_due(now=APRIL) == 0
    statement = Statement.objects.get()
    assert (statement.number, statement.month, statement.currency) == ("bakery-2026-03", date(2026, 3, 1), "EUR")
    assert statement.lines == [
        {"kind": "issue", "points": 99, "rate": "0.01", "amount": "0.99"},
        {"kind": "fee", "points": None, "rate": None, "amount": "0.10"},
    ]
    assert (statement.net, statement.tax, statement.gross) == (Decimal("1.09"), Decimal("0.02"), Decimal("1.11"))
    # 0.099 of fees are 0.10 on the bill; the rest of the cent stands on its own account.
    rounding = SettlementEntry.objects.get(kind=names.ROUND)
    assert (rounding.amount, rounding.from_account) == (Decimal("0.001"), names.ROUNDING)
    assert statements.balances(partner().pk) == {"unbilled": Decimal("11"), "billed": Decimal("1.11")}
    assert violations() == {}


def test_what_comes_too_late_is_on_the_next_statement() -> None:
    setup = club()
    customer("anna")
    buy(setup, "r1", "anna", 100, store="bakery-1")
    settle()
    statements.close_due(now=APRIL)
    apply_documents([{**BAKERY, "stores": ["bakery-1", "bakery-9"]}], now=NOW)
    buy(setup, "r2", "anna", 200, store="bakery-9")
    settle()
    assert statements.close_due(now=APRIL) == 0
    assert statements.close_due(now=datetime(2026, 5, 5, tzinfo=UTC)) == 1
    assert [(one.number, one.net) for one in Statement.objects.order_by("month")] == [
        ("bakery-2026-03", Decimal("1.10")),
        ("bakery-2026-04", Decimal("2.20")),
    ]
    assert violations() == {}


def test_payments() -> None:
    setup = club()
    customer("anna")
    buy(setup, "r1", "anna", 100, store="bakery-1")
    settle()
    statements.close_due(now=APRIL)
    statement = Statement.objects.get()
    with pytest.raises(Problems, match="1.12 EUR are open"):
        statements.pay(statement=statement, amount=Decimal("5"), reference="", actor="me", now=APRIL)
    with pytest.raises(Problems, match="are open"):
        statements.pay(statement=statement, amount=Decimal("-1"), reference="", actor="me", now=APRIL)
    rest = statements.pay(statement=statement, amount=Decimal("1.00"), reference="SEPA 1", actor="me", now=APRIL)
    assert rest == Decimal("0.12")
    assert statements.balances(partner().pk)["billed"] == Decimal("0.12")
    assert statements.payments([statement.pk]) == {statement.pk: Decimal("1.00")}
    assert violations() == {}


def test_who_is_owed_gets_a_credit() -> None:
    setup = club()
    customer("anna")
    buy(setup, "r1", "anna", 1000, store="own-shop")
    buy(setup, "r2", "anna", 0, store="pump", spend=1000)
    settle()
    statements.close_due(now=APRIL)
    statement = Statement.objects.get()
    assert (statement.partner.key, statement.gross) == ("fuel", Decimal("-10.00"))
    assert statements.pay(statement=statement, amount=Decimal("-10"), reference="", actor="me", now=APRIL) == 0
    assert violations() == {}


def test_billed_prices_stay_and_shops_belong_to_one() -> None:
    setup = club()
    customer("anna")
    buy(setup, "r1", "anna", 100, store="bakery-1")
    settle()
    statements.close_due(now=APRIL)
    with pytest.raises(Problems, match="on statements already"):
        apply_documents([{**BAKERY, "rates": [{"from": "2026-01-01", "earn": 0.02, "burn": 0.008}]}], now=APRIL)
    with pytest.raises(Problems, match="'pump' is a shop of fuel"):
        apply_documents([{**BAKERY, "stores": ["pump"]}], now=APRIL)
    assert apply_documents([BAKERY], now=APRIL)[0].verdict == "unchanged"


def test_forgetting_somebody_settles_them_first() -> None:
    from loyalty.customers.erasing import erase_customers

    setup = club()
    anna = customer("anna")
    buy(setup, "r1", "anna", 100, store="bakery-1")
    erase_customers(customer_ids=[anna])
    settle()
    assert entries()[0] == ("bakery", "issue", 100, Decimal(1))
    assert violations() == {}
