"""Real connections at once: no prize is won too often, no play used twice, no stamp lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from loyalty.kit.problems import Problems
from loyalty.play import awards, raffles, stamping, starting
from loyalty.play.follow import follow
from loyalty.play.models import Award, ChallengeRun, Game, GamePlay, GamePrize, StampCard, StampSheet
from loyalty.play.playing import play
from loyalty.play.rounds import turn
from tests.db.loyalty.play.fair import GAME, NOW, POINTS, applied, days, happened, member, points, violations

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(work: Callable[[int], Any], times: int, workers: int = 20) -> list[Any]:
    def run(number: int) -> Any:
        try:
            return work(number)
        except Problems:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(run, range(times)))


def test_the_last_ten_are_won_ten_times() -> None:
    prize = {"key": "big", "odds": 1, "stock": 10, "prize": POINTS}
    applied(GAME | {"prizes": [prize], "free": {"max": 1, "per": "ever"}})
    who = [member(f"p{number}") for number in range(200)]
    outcomes = at_once(lambda number: play("summer", customer_id=who[number], now=NOW).outcome, 200)
    assert (outcomes.count("won"), outcomes.count("nothing")) == (10, 190)
    assert GamePrize.objects.get().won == 10
    assert sum(points(one) for one in who) == 500
    assert violations() == {}


def test_one_play_is_used_once() -> None:
    applied(GAME | {"free": {"max": 3, "per": "day"}})
    anna = member("anna")
    outcomes = at_once(lambda number: play("summer", customer_id=anna, now=NOW).outcome, 30)
    assert outcomes.count("won") == 3
    assert sorted(GamePlay.objects.values_list("number", flat=True)) == [1, 2, 3]
    assert points(anna) == 150


def test_the_same_call_at_once_is_one_play() -> None:
    applied(GAME)
    anna = member("anna")
    plays = at_once(lambda number: play("summer", customer_id=anna, now=NOW, request_id="x").play_id, 12)
    assert len(set(plays)) == 1
    assert (GamePlay.objects.count(), points(anna)) == (1, 50)


def test_two_tills_stamp_one_card() -> None:
    applied({"kind": "stamp_card", "key": "coffee", "size": 10, "prizes": [POINTS]})
    anna = member("anna")
    card = StampCard.objects.get()
    given = at_once(lambda number: stamping.give_to(card, anna, 1, UUID(int=number % 45), now=NOW), 60)
    assert sum(given) == 45
    found = StampSheet.objects.order_by("number").values_list("number", "stamps", "state")
    assert list(found) == [(number, 10, "complete") for number in (1, 2, 3, 4)] + [(5, 5, "open")]
    assert at_once(lambda number: awards.give_due(now=NOW), 6).count(None) == 0
    assert points(anna) == 200
    assert violations() == {}


def test_followers_and_joiners_at_once() -> None:
    applied({"kind": "challenge", "key": "three", "event": "visit", "target": 3, "prizes": [POINTS]})
    who = [member(f"p{number}") for number in range(8)]
    for number in range(8):
        for day in range(4):
            happened("visit", f"p{number}", days(day))

    def work(number: int) -> int:
        if number % 3 == 0:
            return starting.join("three", customer_ids=who, now=NOW)
        return follow(now=days(5), limit=5) + awards.give_due(now=days(5))

    at_once(work, 40, workers=8)
    while follow(now=days(5)) or awards.give_due(now=days(5)):
        pass
    assert sorted(ChallengeRun.objects.values_list("customer_id", "number", "state")) == [
        (one, 1, "done") for one in who
    ]
    assert Award.objects.filter(state="given").count() == 8
    assert [points(one) for one in who] == [50] * 8
    assert violations() == {}


def test_a_prize_draw_is_held_once() -> None:
    prizes = [{"key": "big", "stock": 10, "prize": POINTS}]
    applied(GAME | {"type": "draw", "draw_at": "2026-04-01T12:00:00", "prizes": prizes})
    who = [member(f"p{number}") for number in range(40)]
    game_id = Game.objects.get().pk

    def work(number: int) -> Any:
        if number % 10 == 5:
            return raffles.hold(game_id, now=NOW)
        return play("summer", customer_id=who[number], now=NOW).outcome

    at_once(work, 40)
    raffles.hold(game_id, now=NOW)
    entered = GamePlay.objects.count()
    assert GamePlay.objects.filter(outcome="entered").count() == 0
    won = GamePlay.objects.filter(outcome="won").count()
    assert (won, GamePrize.objects.get().won) == (min(10, entered), won)
    assert Award.objects.count() == won
    assert violations() == {}


def test_one_card_is_turned_once() -> None:
    memory = {key: value for key, value in GAME.items() if key != "prizes"} | {"type": "memory", "pairs": 2}
    applied(memory | {"prizes": [{"key": "all", "prize": POINTS}]})
    anna = member("anna")
    shown = at_once(lambda number: turn("summer", customer_id=anna, card=1, now=NOW), 12)
    assert [one for one in shown if one is not None][0].moves == 0
    assert shown.count(None) == 11
    assert GamePlay.objects.count() == 0
