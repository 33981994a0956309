"""Games: who may play, what is drawn, what is left, and that it can be checked afterwards."""

from datetime import date, timedelta
from typing import Any

import pytest

from loyalty.kit.applying import apply_documents
from loyalty.kit.problems import Problems
from loyalty.play import awards, draws
from loyalty.play.drawing import Played
from loyalty.play.game_queries import games
from loyalty.play.models import Award, Game, GamePlay, GamePlayer, GamePrize
from loyalty.play.playing import play
from loyalty.play.queries import prizes_won
from loyalty.play.rules import rules_of
from tests.db.loyalty.play.fair import GAME, NOW, POINTS, applied, days, followed, happened, member, points, violations

pytestmark = pytest.mark.django_db


def played(customer_id: int, day: float = 0, **rest: Any) -> Played:
    return play("summer", customer_id=customer_id, now=days(day), **rest)


def test_two_free_plays_a_day() -> None:
    applied(GAME)
    anna = member("anna")
    first, second = played(anna), played(anna)
    assert (first.outcome, first.prize_key, first.prize, first.sentence, first.plays_left) == (
        "won", "all", {"en": "Fifty"}, "50 points", 1,
    )  # fmt: skip
    assert second.plays_left == 0
    assert first.reference is not None
    with pytest.raises(Problems, match="there are none left"):
        played(anna)
    assert played(anna, 1).outcome == "won"
    assert points(anna) == 150
    assert violations() == {}


def test_a_repeated_call_draws_nothing() -> None:
    applied(GAME)
    anna = member("anna")
    first = played(anna, request_id="a")
    again = played(anna, request_id="a")
    assert (again.play_id, again.repeated, again.prize_key, again.reference) == (
        first.play_id, True, "all", first.reference,
    )  # fmt: skip
    assert GamePlay.objects.count() == 1


def test_plays_are_earned() -> None:
    earn = [{"event": "review", "count": 2, "where": {"stars": {"gte": 4}}, "most": {"max": 4, "per": "week"}}]
    applied(GAME | {"free": None, "free_entry": "Write a letter.", "earn": earn})
    anna = member("anna")
    with pytest.raises(Problems, match="there are none left"):
        played(anna)
    for day, stars in ((0, 5), (0.1, 1), (0.2, 4), (0.3, 5)):
        happened("review", "anna", days(day), stars=stars)
    followed(days(1))
    assert games(anna, now=days(1))[0]["plays_left"] == 4
    assert [played(anna, 1).plays_left for _ in range(4)] == [3, 2, 1, 0]
    assert GamePlayer.objects.get().used == 4


def test_stock_ends_and_consolation_comes() -> None:
    prize = {"key": "big", "odds": 1, "stock": 2, "per_person": 1, "prize": POINTS}
    applied(GAME | {"prizes": [prize], "consolation": {"type": "points", "points": 1}})
    anna, ben, carl = member("anna"), member("ben"), member("carl")
    outcomes = [played(who).outcome for who in (anna, anna, ben, carl)]
    assert outcomes == ["won", "consolation", "won", "consolation"]
    assert (points(anna), points(ben), points(carl)) == (51, 50, 1)
    assert (GamePrize.objects.get().won, violations()) == (2, {})


def test_a_prize_that_cannot_be_given_waits() -> None:
    applied(GAME)
    anna = member("anna")
    from loyalty.kit.sql import execute

    apply_documents([GAME | {"prizes": [{"key": "all", "odds": 1, "prize": {"type": "item", "name": "Car"}}]}], now=NOW)
    won = played(anna)
    assert (won.reference, won.sentence) == (None, "Car")
    award = Award.objects.get()
    with pytest.raises(Problems, match="say why"):
        awards.settle(award.pk, given=False, reason=" ", by="eva", now=NOW)
    awards.settle(award.pk, given=True, reason="", by="eva", now=NOW)
    assert [(one["state"], one["prize"], one["of"]) for one in prizes_won(anna)] == [("given", "Car", "summer")]
    Award.objects.update(state="due", kind="points", prize={"type": "points", "points": 5})
    execute("UPDATE member SET state = 'frozen'")
    followed(NOW)
    award.refresh_from_db()
    assert (award.state, award.tries, award.due_at) == ("due", 1, NOW + timedelta(minutes=1))
    assert award.reason == "there is none left, or the person is no member"
    execute("UPDATE member SET state = 'active'")
    followed(days(1))
    award.refresh_from_db()
    assert (award.state, points(anna)) == ("given", 5)


def test_age() -> None:
    applied(GAME | {"age": 18})
    anna, ben, carl = (
        member("anna"),
        member("ben", birth_date=date(2008, 3, 11)),
        member("carl", birth_date=date(2008, 3, 10)),
    )
    with pytest.raises(Problems, match="let the person declare it"):
        played(anna)
    assert played(anna, of_age=True).outcome == "won"
    assert played(anna).outcome == "won"
    with pytest.raises(Problems, match="one has to be 18 to play"):
        played(ben, of_age=True)
    assert played(carl).outcome == "won"
    apply_documents([GAME | {"key": "strict", "age": 18, "age_check": "birth_date"}], now=NOW)
    with pytest.raises(Problems, match="the date of birth is not known"):
        play("strict", customer_id=anna, now=NOW, of_age=True)


def test_everything_against_a_play_is_told_at_once() -> None:
    applied(GAME | {"from": "2026-04-01", "to": "2026-04-30", "state": "paused", "age": 18})
    ben = member("ben", joined=False)
    with pytest.raises(Problems) as told:
        played(ben, door=3)
    assert [problem.where for problem in told.value.problems] == ["game", "game", "customer", "of_age", "door"]
    assert GamePlay.objects.count() == 0
    with pytest.raises(Problems, match="there is no game 'no'"):
        play("no", customer_id=ben, now=NOW)


CALENDAR: dict[str, Any] = {key: value for key, value in GAME.items() if key != "free"} | {
    "type": "advent_calendar",
    "doors": 20,
    "prizes": [
        {"key": "three", "odds": 1, "doors": [3], "prize": POINTS},
        {"key": "five", "odds": 1, "doors": [5], "stock": 0, "prize": POINTS},
    ],
}


def test_an_advent_calendar() -> None:
    applied(CALENDAR | {"from": "2026-03-06"})
    anna = member("anna")
    assert played(anna, door=3).outcome == "won"
    assert [played(anna, door=door).outcome for door in (1, 5)] == ["nothing", "nothing"]
    for door, problem in (
        (3, "was opened before"),
        (6, "is not open yet"),
        (21, "there is no door 21"),
        (None, "missing"),
    ):
        with pytest.raises(Problems, match=problem):
            played(anna, door=door)
    doors = games(anna, now=NOW)[0]["doors"]
    assert [door["state"] for door in doors[:6]] == ["open", "ready", "open", "ready", "open", "closed"]
    apply_documents([CALENDAR | {"key": "strict", "late": False}], now=NOW)
    with pytest.raises(Problems, match="was for 2026-03-03 only"):
        play("strict", customer_id=anna, now=NOW, door=3)
    assert {one["key"]: one["doors"][2]["state"] for one in games(anna, now=NOW)} == {
        "strict": "missed",
        "summer": "open",
    }


def test_the_rules_are_written_and_draws_can_be_checked() -> None:
    applied(
        GAME | {"age": 18, "prizes": [{"key": "all", "name": "Fifty", "odds": 0.00005, "stock": 3, "prize": POINTS}]}
    )
    anna = member("anna")
    played(anna, of_age=True)
    during = rules_of("summer", language="en", now=NOW)
    assert during.secret is None
    assert [section.heading for section in during.sections] == [
        "Who runs the game", "When", "How to play", "What can be won", "How it is drawn", "Your data",
    ]  # fmt: skip
    assert during.sections[3].items == ["Fifty (50 points): odds of a play 1 in 20,000, 3 in all."]
    assert "Players have to be at least 18 years old." in during.sections[1].paragraphs
    after = rules_of("summer", language="de-AT", now=days(30))
    assert after.language == "de"
    assert after.secret is not None
    secret = bytes.fromhex(after.secret)
    assert draws.commitment(secret) == during.commitment
    one = GamePlay.objects.get()
    assert draws.draw(secret, one.nonce) == one.draw


def test_what_was_promised_cannot_be_changed() -> None:
    applied(GAME)
    secret = bytes(Game.objects.get().secret)
    anna = member("anna")
    apply_documents([GAME | {"age": 16}, ], now=NOW)  # fmt: skip
    apply_documents([GAME], now=NOW)
    played(anna)
    with pytest.raises(Problems) as told:
        worse = {"key": "all", "odds": 0.5, "stock": 1, "prize": POINTS}
        apply_documents([GAME | {"to": "2026-03-20", "age": 12, "prizes": [worse]}], now=NOW)
    assert len(told.value.problems) == 3
    apply_documents([GAME | {"to": "2026-04-20", "name": "Sun"}], now=NOW)
    assert bytes(Game.objects.get().secret) == secret


def test_mistakes_in_documents() -> None:
    applied()
    wrong = GAME | {
        "prizes": [{"key": "a", "odds": 0.6, "prize": POINTS}, {"key": "b", "odds": 0.5, "prize": POINTS}],
        "typ": 1,
    }
    with pytest.raises(Problems) as told:
        apply_documents([wrong], now=NOW)
    text = str(told.value)
    assert "add up to 1.1, more than 1" in text
    assert "did you mean 'type'?" in text
    with pytest.raises(Problems, match="nobody could play without doing something for it"):
        apply_documents([{**GAME, "free": None}], now=NOW)
    with pytest.raises(Problems, match="unknown game type 'whee'"):
        apply_documents([{**GAME, "type": "whee"}], now=NOW)
