"""The books over HTTP and in the admin."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from psycopg.types.json import Jsonb

from loyalty.access.operations import create_api_key
from loyalty.finance import operations
from loyalty.finance.models import BookMonth
from loyalty.kit.sql import execute, sql
from loyalty.program.setup import load
from tests.db.loyalty.finance.test_books import MAR, VALUED, trade
from tests.db.loyalty.partners.world import club, settle

pytestmark = pytest.mark.django_db


def get(path: str, scopes: tuple[str, ...] = ("reports:read",)) -> object:
    key = create_api_key(name=path, scopes=scopes, now=MAR).secret
    return Client().get(f"/api/v1/loyalty/finance/{path}", headers={"Authorization": f"Bearer {key}"})


@pytest.fixture
def computed() -> None:
    setup = club({**VALUED, "accounts": {"liability": "3500", "issue": "4750"}})
    trade(setup)
    operations.measure(setup=setup, now=MAR)


@pytest.mark.usefixtures("computed")
def test_calls() -> None:
    owed = get("liability?month=2026-02").json()
    assert (owed["closed"], owed["points"], owed["amount"], owed["currency"]) == (True, 700, "14.00", "EUR")
    assert owed["curves"] == {"points": [1.0]}
    booked = get("bookings?month=2026-02").json()
    assert [(row["line"], row["debit"], row["credit"], row["amount"]) for row in booked["bookings"]] == [
        ("issued", "4750", "3500", "2.00"),
        ("returned", "3500", "4750", "2.00"),
        ("redeemed", "3500", "points-redeemed", "6.00"),
    ]
    text = get("bookings?month=2026-02&format=csv").content.decode().split("\r\n")
    assert text[1] == "2026-02-28,club-2026-02-1,4750,3500,2.00,EUR,issued,points,100,closed"
    result = get("result?months=2").json()
    assert [(one["month"], one["issued"], one["spent"], one["burn_rate"]) for one in result["months"]] == [
        ("2026-02", 0, 300, None),
        ("2026-03", 500, 0, 0.0),
    ]
    assert get("liability?month=2020-01").status_code == 404
    assert get("liability?month=March").status_code == 422
    assert get("result?months=0").status_code == 422
    assert get("bookings?format=xml").status_code == 422
    assert get("liability", ("loyalty:read",)).status_code == 403


@pytest.fixture
def admin() -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(User.objects.create_superuser("boss", password="x"))
    return client


def test_pages_without_anything(admin: Client) -> None:
    assert "There is no loyalty program yet" in admin.get("/admin/finance/").content.decode()
    club()
    assert "Nothing is in the books yet" in admin.get("/admin/finance/").content.decode()
    assert "No statement yet" in admin.get("/admin/partners/statement/").content.decode()


@pytest.mark.usefixtures("computed")
def test_pages(admin: Client) -> None:
    text = admin.get("/admin/finance/").content.decode()
    assert "24.00 EUR" in text and "nothing measures it" in text and "February 2026" in text
    text = admin.get("/admin/finance/club/2026-02/").content.decode()
    assert "<code>4750</code>" in text and "14.00 EUR" in text
    assert admin.get("/admin/finance/club/2026-02/csv/").headers["Content-Type"].startswith("text/csv")
    assert admin.get("/admin/finance/club/2020-02/").status_code == 404
    assert admin.get("/admin/finance/club/x/").status_code == 404
    BookMonth.objects.filter(closed_at__isnull=True).delete()
    assert admin.post("/admin/finance/measure/", {"program": "club"}).status_code == 302
    assert BookMonth.objects.filter(closed_at__isnull=True).exists()


@pytest.mark.usefixtures("computed")
def test_pages_ask_for_permission() -> None:
    client = Client()
    client.force_login(User.objects.create_user("clerk", password="x", is_staff=True))
    for path in ("finance/", "finance/club/2026-02/", "partners/partner/", "partners/calculator/"):
        assert client.get(f"/admin/{path}").status_code == 403
    assert client.post("/admin/finance/measure/").status_code == 403


@pytest.mark.usefixtures("computed")
def test_partner_pages(admin: Client) -> None:
    from datetime import timedelta

    from loyalty.partners import foreign, statements
    from loyalty.partners.models import ForeignProgram, Statement
    from tests.db.loyalty.partners.test_foreign import OLD
    from tests.db.loyalty.partners.world import NOW, apply_documents, partner
    from tests.db.loyalty.program.club import buy

    apply_documents([OLD], now=NOW)
    buy(load(), "p1", "anna", 100, store="bakery-1")
    settle()
    statements.close_due(now=NOW + timedelta(days=40))
    bakery, statement = partner(), Statement.objects.get()
    page = admin.get(f"/admin/partners/partner/{bakery.pk}/change/").content.decode()
    assert "bakery-2026-03" in page and "first name" in page and "1.12 EUR" in page
    assert "Bakery" in admin.get("/admin/partners/partner/").content.decode()
    assert "1.12 EUR" in admin.get(f"/admin/partners/statement/{statement.pk}/change/").content.decode()
    assert admin.get(f"/admin/partners/statement-file/{statement.pk}/pdf/").content.startswith(b"%PDF")
    act = f"/admin/partners/statement/{statement.pk}/act/pay/"
    assert "are open" in admin.post(act, {"amount": "9"}, follow=True).content.decode()
    assert "Still open: 0.12 EUR" in admin.post(act, {"amount": "1"}, follow=True).content.decode()
    made = admin.post(f"/admin/partners/partner/{bakery.pk}/key/")
    assert "lc_" in made.content.decode() and "no-store" in made.headers["Cache-Control"]
    assert "0 entries were added" in admin.post(
        f"/admin/partners/partner/{bakery.pk}/act/catch_up/", follow=True
    ).content.decode()  # fmt: skip
    program = ForeignProgram.objects.get()
    foreign.mirror(foreign=program, rows=[{"number": "A", "balance": 40, "customer": "anna"}], now=NOW)
    assert "The way out" in admin.get(f"/admin/partners/foreignprogram/{program.pk}/change/").content.decode()
    moved = admin.post(f"/admin/partners/foreignprogram/{program.pk}/act/move/", follow=True).content.decode()
    assert "40 of their points became 20 of ours" in moved
    assert "Nothing was passed on" in admin.get("/admin/partners/partnertransfer/").content.decode()
    text = admin.get("/admin/partners/calculator/").content.decode()
    assert "After three years" in text
    assert "is ahead" not in admin.get("/admin/partners/calculator/?customers=0").content.decode()


def test_the_cost_of_rewards() -> None:
    setup = club(VALUED)
    trade(setup)
    execute(
        "INSERT INTO reward (key, program_id, type, state, name, points, categories, featured, taken, definition,"
        " created_at, updated_at) SELECT 'mug', id, 'physical', 'active', '{}', 300, '{}', false, 0,"
        " '{\"cost\": 2.5}', now(), now() FROM program"
    )
    execute(
        "INSERT INTO reward_redemption (program_id, reward_id, quantity, state, state_since, source, points, money,"
        " ordered_at) SELECT program_id, id, 2, 'ordered', '2026-02-10', 'test', 300, 1, '2026-02-10' FROM reward"
    )
    execute(
        "INSERT INTO reward_redemption (program_id, reward_id, quantity, state, state_since, source, points,"
        " ordered_at) SELECT program_id, id, 1, 'cancelled', '2026-03-02', 'test', 300, '2026-02-11' FROM reward"
    )
    operations.measure(setup=setup, now=MAR)
    found = {
        (one.month.month, line["key"]): (line["amount"], line["quantity"])
        for one in BookMonth.objects.all()
        for line in one.lines
    }
    assert found[2, "reward_cost"] == ("-7.50", 3)
    assert found[2, "reward_money"] == ("1.00", None)
    assert found[3, "reward_cost"] == ("2.50", -1)


@pytest.mark.usefixtures("computed")
def test_what_was_measured_against_people_held_out(admin: Client) -> None:
    cells = [
        {"band": 0, "step": 1, "size": size, "held_out": size is None, "people": 400, "reached": 9, "redeemers": 0,
         "revenue": 1.0, "margin": margin, "squares": margin * margin / 400 + 400, "cost": 0.0}
        for size, margin in ((3.0, 1200.0), (None, 800.0))
    ]  # fmt: skip
    execute(
        sql(
            "WITH made AS (INSERT INTO offer (key, name, state, definition, created_at, updated_at) VALUES ('own',"
            " '{{\"en\": \"Your own\"}}', 'active', '{{}}', {at}, {at}) RETURNING id)"
            " INSERT INTO offer_round (offer_id, number, state, given_at, ends_at, settings, rates, outcome)"
            " SELECT id, 1, 'measured', {at}, {at}, '{{\"program\": \"club\"}}', '[]', {cells} FROM made",
            at=MAR - timedelta(days=1),
            cells=Jsonb(cells),
        )
    )
    operations.measure(setup=load(), now=MAR)
    open_month = BookMonth.objects.get(closed_at__isnull=True)
    [line] = [one for one in open_month.lines if one["key"] == "uplift"]
    assert (line["amount"], line["quantity"]) == ("400.00", 400)
    assert [(one["source"], one["verdict"], one["others"]) for one in line["parts"]] == [("offer:own", "more", 400)]
    text = admin.get("/admin/finance/").content.decode()
    assert "Your own" in text and "brings something" in text and "nothing measures it" not in text
    assert "Your own" in admin.get(f"/admin/finance/club/{open_month.month:%Y-%m}/").content.decode()
