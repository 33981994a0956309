"""The loyalty program on the first page."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.reports import kept, program
from loyalty.program.models import Adjustment, Wallet
from tests.db.loyalty.program.club import BASE, applied, buy, customer, member_of

pytestmark = pytest.mark.django_db
INDEX = "/admin/"


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "SLOW_SECONDS", 3600.0)


def ask_for_a_correction() -> None:
    Adjustment.objects.create(
        member_id=member_of("anna"), wallet=Wallet.objects.get(key="points"), points=5, reason="Sorry",
        requested_by="bea", requested_at=timezone.now(),
    )  # fmt: skip


def test_the_first_page_tells_of_the_program_and_of_what_waits(admin_client: Client) -> None:
    page = admin_client.get(INDEX).content.decode()
    assert "There is no loyalty program yet" in page
    setup, now = applied(BASE), timezone.now()
    for who in ("anna", "bob"):
        customer(who)
    buy(setup, "r1", "anna", 1200, now=now)
    buy(setup, "r2", "bob", 34, now=now)
    ask_for_a_correction()
    found = program.programs(days=30, now=now)
    assert [(one.name, one.currency, one.members) for one in found] == [("Club", "EUR", 2)]
    points, status = found[0].wallets
    assert (points.name, points.outstanding, f"{points.worth:.2f}", points.earned) == ("points", 1234, "12.34", 1234)
    assert (status.outstanding, status.worth, status.earned, status.spent) == (0, 0, 0, 0)
    page = admin_client.get(INDEX).content.decode()
    assert "There is no loyalty program yet" not in page
    assert "2 members" in page
    assert "12.34 EUR" in page
    assert "1 correction of points waits for a second person." in page
    later = program.programs(days=30, now=now + timedelta(days=40))
    assert [wallet.earned for wallet in later[0].wallets] == [0, 0]


def test_who_may_not_see_the_program_is_told_nothing_of_it(client: Client) -> None:
    setup = applied(BASE)
    customer("anna")
    buy(setup, "r1", "anna", 12, now=timezone.now())
    ask_for_a_correction()
    user = User.objects.create_user("clerk", is_staff=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(INDEX).content.decode()
    assert "Club" not in page
    assert "correction" not in page
    user.user_permissions.set(Permission.objects.filter(codename="view_adjustment"))
    page = client.get(INDEX).content.decode()
    assert "Club" not in page
    assert "1 correction of points waits" in page


def test_the_number_of_queries_does_not_grow_with_the_members() -> None:
    setup, now = applied(BASE), timezone.now()

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            program.programs(days=30, now=now)
            program.waiting()
        return len(captured)

    customer("anna")
    buy(setup, "r1", "anna", 12, now=now)
    few = queries()
    for number in range(20):
        customer(f"c{number}")
        buy(setup, f"b{number}", f"c{number}", 12, now=now)
    assert queries() == few
