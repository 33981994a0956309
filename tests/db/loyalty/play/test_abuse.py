"""Games, played by people who mean harm: many browsers at once, another's round, what no game can take."""

import json
from typing import Any

import pytest
from django.test import Client

from loyalty.access.operations import create_api_key
from loyalty.kit.applying import apply_documents
from loyalty.kit.clock import now
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch
from loyalty.play import boards
from loyalty.play.board_queries import leaderboards
from loyalty.play.contests import GameRound
from loyalty.play.models import GamePlay
from loyalty.play.playing import play
from loyalty.play.rounds import turn
from tests.db.loyalty.play.fair import GAME, NOW, POINTS, applied, member, points, violations
from tests.db.loyalty.play.test_contests import MEMORY, QUIZ, answers
from tests.db.loyalty.play.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)
BOARD: dict[str, Any] = {"kind": "leaderboard", "key": "most", "name": "Most", "event": "visit", "window": "month"}


def test_a_quiz_answered_in_forty_ways_at_once_counts_as_often_as_there_are_plays() -> None:
    applied(QUIZ | {"free": {"max": 2, "per": "day"}})
    anna = member("anna")
    ways = [answers(bean=bean, land=land) for bean in ("arabica", "soy") for land in ("peru", "iceland")]
    done = at_once(lambda number: play("quiz", customer_id=anna, now=NOW, answers=ways[number % 4]), 40)
    assert sum(one is not None for one in done) == 2
    assert GamePlay.objects.count() == 2
    assert points(anna) == sum(one.score * 5 for one in done if one is not None)
    assert violations() == {}


def test_all_cards_turned_at_once_are_one_round_of_the_moves_there_are() -> None:
    applied(MEMORY | {"free": {"max": 1, "per": "ever"}})
    anna = member("anna")
    at_once(lambda number: turn("memory", customer_id=anna, card=number % 4 + 1, now=NOW), 60)
    assert GamePlay.objects.count() + GameRound.objects.count() == 1
    assert violations() == {}


@pytest.mark.parametrize("card", [0, -1, 5, 10**9])
def test_a_card_that_is_not_there_takes_no_play(card: int) -> None:
    applied(MEMORY)
    with pytest.raises(Problems):
        turn("memory", customer_id=member("anna"), card=card, now=NOW)
    assert fetch("SELECT count(*) FROM game_round") == [(0,)]


def test_a_game_made_smaller_in_the_middle_of_a_round_does_not_break_it() -> None:
    applied(MEMORY | {"pairs": 6, "moves": 24, "prizes": [{"key": "all", "moves": 24, "prize": POINTS}]})
    anna = member("anna")
    for card in (12, 11, 10):
        turn("memory", customer_id=anna, card=card, now=NOW)
    smaller = MEMORY | {"pairs": 2, "moves": 24, "prizes": [{"key": "all", "moves": 24, "prize": POINTS}]}
    with pytest.raises(Problems, match="people have played"):
        apply_documents([smaller], now=NOW)
    assert turn("memory", customer_id=anna, card=1, now=NOW).moves == 2


@pytest.mark.parametrize(
    "name", ["<b>x</b>", "a@b.de", "x" * 21, "a", "\u202eabc", "a\x00b", "http://x", "  ", "a\nb", "x\u200by", "😀😀"]
)
def test_a_nickname_that_is_none_is_refused(name: str) -> None:
    applied(BOARD)
    anna = member("anna")
    if name == "a\nb":
        boards.join("most", customer_id=anna, nickname=name, now=NOW)
        assert fetch("SELECT nickname FROM leaderboard_entry") == [("a b",)]
        return
    with pytest.raises(Problems):
        boards.join("most", customer_id=anna, nickname=name, now=NOW)


def test_one_nickname_wanted_by_many_at_once_is_one_persons() -> None:
    applied(BOARD)
    who = [member(f"p{number}") for number in range(20)]
    names = ["King", "king", "KING", "  King "]
    at_once(lambda n: boards.join("most", customer_id=who[n], nickname=names[n % 4], now=NOW), 20)
    assert fetch("SELECT count(*) FROM leaderboard_entry") == [(1,)]


def test_a_hidden_nickname_stays_hidden_under_another_and_after_coming_back() -> None:
    applied(BOARD)
    anna = member("anna")
    boards.join("most", customer_id=anna, nickname="Rude", now=NOW)
    boards.hide(fetch("SELECT id FROM leaderboard_entry")[0][0], hidden=True, by="eva")
    boards.join("most", customer_id=anna, nickname="Ruder", now=NOW)
    assert fetch("SELECT nickname, hidden FROM leaderboard_entry") == [("Ruder", True)]
    assert boards.leave("most", customer_id=anna)
    assert leaderboards(anna, now=NOW)[0]["me"] is None
    boards.join("most", customer_id=anna, nickname="Rudest", now=NOW)
    assert fetch("SELECT hidden FROM leaderboard_entry") == [(True,)]


@pytest.mark.parametrize(
    "body",
    [
        {"customer": "\x00"}, {"customer": "anna", "door": 10**30},
        {"customer": "anna", "door": -1}, {"customer": "anna", "door": 1.5}, {"customer": {"email": "\x00"}},
        {"customer": "anna", "answers": {"\x00": "\x00"}}, {"customer": "anna", "answers": {"x": "y" * 10_000}},
        {"customer": None}, {"customer": ["anna"]}, {"customer": "anna", "id": "\ud800"}, [], {"customer": {}},
    ],
)  # fmt: skip
def test_what_no_game_can_take_is_refused_with_a_reason(body: Any) -> None:
    applied(GAME | {"from": "2020-01-01", "to": "2099-12-31"})
    member("anna")
    headers = {"Authorization": f"Bearer {create_api_key(name='t', scopes=['*'], now=now()).secret}"}
    for path in ("games/summer/play", "games/summer/turn", "games/%00/play", "leaderboards/most/join"):
        answer = Client(headers=headers).post(
            f"/api/v1/loyalty/{path}", json.dumps(body), content_type="application/json"
        )
        assert 400 <= answer.status_code < 500, (path, answer.content)
    assert GamePlay.objects.count() == 0
