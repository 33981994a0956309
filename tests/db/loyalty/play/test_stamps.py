"""Stamps come for events, birthdays and by call; full sheets win, old ones are void."""

from datetime import date
from typing import Any

import pytest

from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.play import stamping, tasks
from loyalty.play.models import Stamp, StampCard, StampSheet
from loyalty.play.queries import stamp_cards
from tests.db.loyalty.play.fair import NOW, POINTS, applied, days, followed, happened, member, points, violations

pytestmark = pytest.mark.django_db
COFFEE: dict[str, Any] = {
    "kind": "stamp_card",
    "key": "coffee",
    "size": 3,
    "earn": [{"event": "coffee"}],
    "prizes": [POINTS],
}


def sheets(customer_id: int) -> list[tuple[int, str, int]]:
    found = StampSheet.objects.filter(customer_id=customer_id).order_by("number")
    return [(sheet.number, sheet.state, sheet.stamps) for sheet in found]


def test_three_for_one_and_on() -> None:
    applied(COFFEE)
    anna = member("anna")
    for day in range(7):
        happened("coffee", "anna", days(day))
    followed(days(8))
    assert sheets(anna) == [(1, "complete", 3), (2, "complete", 3), (3, "open", 1)]
    assert points(anna) == 100
    shown = stamp_cards(anna, now=days(8))[0]
    assert (shown["stamps"], shown["size"], shown["complete"], shown["prizes"]) == (1, 3, 2, ["50 points"])
    assert violations() == {}


def test_only_so_many_a_day_and_for_each_ten() -> None:
    source = {"event": "sale", "each": {"property": "amount", "of": 10}, "most": {"max": 3, "per": "day"}}
    applied(COFFEE | {"size": 10, "earn": [source]})
    anna = member("anna")
    happened("sale", "anna", days(0), amount=25)
    happened("sale", "anna", days(0.1), amount=9.99)
    followed(days(0.2))
    assert sheets(anna) == [(1, "open", 2)]
    happened("sale", "anna", days(0.2), amount=40)
    happened("sale", "anna", days(1), amount=1000)
    happened("sale", "anna", days(2), amount=-50)
    happened("sale", "anna", days(2), amount="much")
    followed(days(3))
    assert sheets(anna) == [(1, "open", 6)]


def test_steps_are_won_on_the_way() -> None:
    applied(COFFEE | {"size": 4, "steps": [{"at": 2, "prizes": [{"type": "points", "points": 5}]}], "times": 1})
    anna = member("anna")
    for day, expected in ((0, 0), (1, 5), (2, 5), (3, 55), (4, 55), (5, 55), (6, 55)):
        happened("coffee", "anna", days(day))
        followed(days(day))
        assert points(anna) == expected
    assert sheets(anna) == [(1, "complete", 4)]


def test_a_sheet_expires() -> None:
    applied(COFFEE | {"expires": {"after": "10d"}})
    anna, ben = member("anna"), member("ben")
    for who in ("anna", "ben"):
        happened("coffee", who, days(0))
        happened("coffee", who, days(1))
    followed(days(2))
    happened("coffee", "ben", days(11))
    followed(days(11))
    assert sheets(ben) == [(1, "expired", 2), (2, "open", 1)]
    assert stamp_cards(anna, now=days(11))[0]["stamps"] == 0
    assert tasks.lapse(now=days(9.9)) == 0
    assert tasks.lapse(now=days(11)) == 1
    assert sheets(anna) == [(1, "expired", 2)]


def test_birthday() -> None:
    applied(COFFEE | {"birthday": 2})
    anna = member("anna", birth_date=date(1990, 3, 10))
    member("ben", birth_date=date(1990, 3, 11))
    assert [tasks.birthdays(now=NOW), tasks.birthdays(now=NOW)] == [1, 0]
    assert sheets(anna) == [(1, "open", 2)]
    assert list(Stamp.objects.values_list("customer_id", "source", "count")) == [(anna, "birthday", 2)]


def test_by_call_once() -> None:
    from uuid import UUID

    applied(COFFEE)
    anna, ben = member("anna"), member("ben", joined=False)
    card = StampCard.objects.get()
    assert stamping.give_to(card, anna, 4, UUID(int=1), now=NOW) == 4
    assert stamping.give_to(card, anna, 4, UUID(int=1), now=NOW) == 0
    assert sheets(anna) == [(1, "complete", 3), (2, "open", 1)]
    with pytest.raises(Problems, match="no member"):
        stamping.give_to(card, ben, 1, UUID(int=2), now=NOW)


def test_facts() -> None:
    applied(COFFEE)
    member("anna")
    for day in range(3):
        happened("coffee", "anna", days(day))
    followed(days(3))
    query = (
        "SELECT t.name, count(*) FROM event e JOIN event_type t ON t.id = e.type_id"
        " WHERE t.internal GROUP BY 1 ORDER BY 1"
    )
    assert fetch(query) == [("points.earned", 1), ("prize.won", 1), ("stamp.given", 1), ("stamp_card.completed", 1)]


def test_stamps_as_a_prize_and_an_item_that_people_hand_over() -> None:
    applied(
        {**COFFEE, "prizes": [{"type": "item", "name": {"en": "A mug", "de": "Eine Tasse"}}]},
        {"kind": "challenge", "key": "c", "event": "visit", "target": 1,
         "prizes": [{"type": "stamps", "card": "coffee", "stamps": 3}]},
    )  # fmt: skip
    anna = member("anna")
    happened("visit", "anna", days(1))
    followed(days(1))
    assert sheets(anna) == [(1, "complete", 3)]
    from loyalty.play.models import Award

    assert list(Award.objects.order_by("id").values_list("kind", "state")) == [("stamps", "given"), ("item", "due")]
