"""The demo's club: the past earns once, members get cards, redeem and rise; nothing is counted twice."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from campaigns.gallery import doings
from campaigns.gallery.club import PROGRAM, Club, figures, playbook, somebody
from campaigns.gallery.doings import Doings
from campaigns.gallery.stage import Stage
from campaigns.segments.models import Segment
from loyalty.cards.models import Card
from loyalty.customers.models import Customer
from loyalty.customers.operations import upsert_customers
from loyalty.events.operations import intake
from loyalty.kit.checks import invariants, verdict
from loyalty.kit.chores import all_chores
from loyalty.kit.clock import now
from loyalty.program.models import Booking, Member
from loyalty.program.setup import load
from loyalty.rewards.models import Redemption

pytestmark = pytest.mark.django_db(transaction=True)


class Working(Stage):
    """A stage on which whoever waits does the workers' work, each turn five seconds later."""

    def wait(self, done: Callable[[], Any], what: str, *, patience: float = 0) -> None:
        for turn in range(60):
            if done():
                return
            for chore in all_chores():
                chore.run(now=now() + timedelta(seconds=5 * turn))
        raise TimeoutError(what)


def bought(who: str, amount: str, days_ago: int = 0) -> None:
    """A purchase in the timeline, as the log's rows are."""
    properties = {"amount": amount, "quantity": 2, "currency": "USD"}
    event = {
        "id": f"{who}-{amount}-{days_ago}",
        "customer": who,
        "name": "purchase",
        "occurred_at": (now() - timedelta(days=days_ago)).isoformat(),
        "properties": properties,
    }
    assert intake(events=[event], now=now(), source="test").rejected == []


@pytest.fixture
def club() -> Club:
    people = [{"external_id": who, "email": f"{who}@example.com", "first_name": who} for who in ("anna", "ben", "cara")]
    assert upsert_customers(people, now=now(), source="test").rejected == []
    bought("anna", "500.00", 200)
    bought("anna", "400.00", 100)
    bought("ben", "60.00", 90)
    bought("cara", "999.00", 400)
    made = Club(Working(say=lambda line: None))
    made.open()
    return made


def members() -> list[tuple[str, str | None]]:
    rows = Member.objects.order_by("id").values_list("customer_id", "tier__key")
    names = dict(Customer.objects.values_list("id", "external_id"))
    return sorted((names[customer_id], tier) for customer_id, tier in rows)


def test_the_last_year_earns_once_however_often_it_is_told(club) -> None:
    assert members() == [("anna", "gold"), ("ben", "bronze")]
    before = figures(load(PROGRAM))
    assert (before["issued"], before["outstanding"], before["uncounted"]) == (960, 960, 0)
    assert before["worth"] == Decimal("9.60")
    club.open()
    assert figures(load(PROGRAM)) == before
    assert Booking.objects.filter(kind="purchase").count() == 3


def test_members_get_cards_redeem_and_rise(club) -> None:
    club.live()
    club.live()
    assert Card.objects.filter(assigned_at__isnull=False).count() == 2
    one = Redemption.objects.get()
    assert one.points in (100, 250, 400)
    assert somebody() == "anna@example.com"
    assert Segment.objects.filter(key__startswith="rfm_", built_at__isnull=False).count() == 11
    bought("anna", "100.00")
    bought("ben", "200.00")
    club.settle()
    assert members() == [("anna", "gold"), ("ben", "silver")]
    found = club.report()
    # 1.5 times for gold, and 100 for rising to silver.
    assert found["issued"] == 960 + 150 + 200 + 100
    assert found["spent"] == one.points
    assert found["outstanding"] == found["issued"] - one.points
    assert found["liability"] == found["worth"] == Decimal(found["outstanding"]) / 100
    assert (found["members"], found["redemptions"], found["congratulated"], found["uncounted"]) == (2, 1, 1, 0)
    assert [item for item in map(verdict, invariants()) if not item.holds] == []


def test_the_demo_rests_for_seconds() -> None:
    rests = [step for one in playbook() for step in one.get("steps", ()) if step["type"] == "wait"]
    assert [step["for"] for step in rests] == ["8s"]


def test_members_do_more_than_buy(club) -> None:
    setup = load(PROGRAM)
    made = Doings(club.stage)
    made.shop(setup)
    for _ in range(2):
        made.shop(setup)
        made.live(setup)
    found = doings.figures(setup)
    # Whose fee comes in follows from the customer's number.
    paid = found["fees"].get("paid", 0)
    assert sum(found["contracts"].values()) == sum(found["fees"].values()) == 2
    assert found["contracts"].get("active", 0) == paid
    assert (found["plays"], found["offered"], found["held_out"]) == (4, 0, 0)
    assert (found["budget"].used, found["budget"].limit) == (0, 50_000)
    club.stage.wait(lambda: doings.figures(setup)["budget"].used == 50, "the reviews to earn")
    assert figures(setup)["uncounted"] == 0
    assert [item for item in map(verdict, invariants()) if not item.holds] == []
