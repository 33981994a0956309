"""Wheel, quiz, memory and prize draw: what they ask, what they keep, what is drawn."""

from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty.kit.applying import apply_documents
from loyalty.kit.problems import Problems
from loyalty.kit.sql import fetch_values
from loyalty.play import draws, raffles
from loyalty.play.contests import GameRound
from loyalty.play.game_queries import games
from loyalty.play.models import Award, Game, GamePlay, GamePlayer
from loyalty.play.playing import play
from loyalty.play.rounds import Shown, turn
from loyalty.play.rules import rules_of
from tests.db.loyalty.play.fair import GAME, NOW, POINTS, applied, days, member, points, violations

pytestmark = pytest.mark.django_db
WHEEL = GAME | {"key": "wheel", "type": "wheel"}
QUIZ: dict[str, Any] = GAME | {
    "key": "quiz", "type": "quiz", "points_each": 5,
    "prizes": [{"key": "all", "right": 2, "prize": {"type": "item", "name": "Mug"}}],
    "questions": [
        {"key": "bean", "text": "Which bean?", "answers": [{"key": "arabica", "text": "Arabica", "right": True},
                                                           {"key": "soy", "text": "Soy"}]},
        {"key": "land", "text": "Which land?", "answers": [{"key": "peru", "text": "Peru", "right": True},
                                                           {"key": "iceland", "text": "Iceland"}]},
        {"key": "drink", "text": "You drink?", "answers": [{"key": "black", "text": "Black"},
                                                           {"key": "milk", "text": "Milk"}]},
    ],
}  # fmt: skip
MEMORY: dict[str, Any] = GAME | {
    "key": "memory", "type": "memory", "pairs": 2, "moves": 4,
    "prizes": [{"key": "quick", "moves": 2, "prize": POINTS},
               {"key": "slow", "moves": 4, "prize": {"type": "points", "points": 7}}],
}  # fmt: skip
DRAW: dict[str, Any] = GAME | {
    "key": "raffle", "type": "draw", "draw_at": "2026-04-01T12:00:00", "free": {"max": 3, "per": "ever"},
    "prizes": [{"key": "first", "stock": 1, "prize": {"type": "item", "name": "Car"}},
               {"key": "second", "stock": 2, "prize": POINTS}],
    "consolation": {"type": "points", "points": 1},
}  # fmt: skip
AFTER = datetime(2026, 4, 1, 10, 0, tzinfo=UTC)


def test_a_wheel_is_drawn_like_a_scratch_card() -> None:
    applied(WHEEL)
    anna = member("anna")
    assert play("wheel", customer_id=anna, now=NOW).outcome == "won"
    shown = games(anna, now=NOW)[0]
    assert (shown["style"], shown["last"]["outcome"], shown["last"]["prize"]) == ("at_once", "won", "all")
    assert points(anna) == 50


def answers(**changed: str) -> dict[str, str]:
    return {"bean": "arabica", "land": "peru", "drink": "milk"} | changed


def test_a_quiz_pays_for_right_answers_and_keeps_them() -> None:
    applied(QUIZ)
    anna, ben = member("anna"), member("ben")
    known = play("quiz", customer_id=anna, now=NOW, answers=answers())
    assert (known.outcome, known.score, known.sentence, points(anna)) == ("won", 2, "Mug, 10 points", 10)
    half = play("quiz", customer_id=ben, now=NOW, answers=answers(land="iceland"), request_id="1")
    assert (half.outcome, half.score, half.sentence, points(ben)) == ("consolation", 1, "5 points", 5)
    again = play("quiz", customer_id=ben, now=NOW, answers=answers(), request_id="1")
    assert (again.repeated, again.score, points(ben)) == (True, 1, 5)
    wrong = play("quiz", customer_id=ben, now=NOW, answers=answers(land="iceland", bean="soy"))
    assert (wrong.outcome, wrong.score, wrong.sentence) == ("nothing", 0, "")
    said = fetch_values(
        "SELECT v.properties FROM event v JOIN event_type t ON t.id = v.type_id WHERE t.name = 'quiz.answered'"
        " ORDER BY v.ref LIMIT 1"
    )
    assert [one["properties"] for one in said] == [
        {"game": "quiz", "right": 2, "questions": 2, "answer_bean": "arabica", "answer_land": "peru",
          "answer_drink": "milk"}
    ]  # fmt: skip
    assert violations() == {}


def test_what_is_wrong_with_answers_is_told_at_once() -> None:
    applied(QUIZ)
    anna = member("anna")
    with pytest.raises(Problems) as told:
        play("quiz", customer_id=anna, now=NOW, answers={"bean": "tea", "hat": "x"})
    assert [one.where for one in told.value.problems] == [
        "answers.bean",
        "answers.land",
        "answers.drink",
        "answers.hat",
    ]
    assert GamePlay.objects.count() == 0
    assert games(anna, now=NOW)[0]["plays_left"] == 2


def test_some_questions_are_drawn_and_stay_until_they_are_answered() -> None:
    applied(QUIZ | {"ask": 1, "prizes": [], "free": {"max": 9, "per": "day"}})
    anna = member("anna")
    asked = [games(anna, now=NOW)[0]["questions"] for _ in range(3)]
    assert asked[0] == asked[1] == asked[2]
    assert [len(one) for one in asked] == [1, 1, 1]
    assert "right" not in str(asked)
    seen = set()
    for _ in range(9):
        (one,) = games(anna, now=NOW)[0]["questions"]
        seen.add(one["key"])
        play("quiz", customer_id=anna, now=NOW, answers={one["key"]: one["answers"][0]["key"]})
    assert len(seen) > 1


def test_a_quiz_tells_the_right_answers_where_it_may() -> None:
    applied(QUIZ | {"reveal": True})
    anna = member("anna")
    play("quiz", customer_id=anna, now=NOW, answers=answers(bean="soy"))
    right = games(anna, now=NOW)[0]["last"]["right"]
    assert [(one["hit"], one["answers"]) for one in right] == [
        (False, [{"en": "Arabica"}]), (True, [{"en": "Peru"}]),
    ]  # fmt: skip


def pictures(customer_id: int, key: str = "memory") -> list[int]:
    game = Game.objects.get(key=key)
    order = draws.shuffled(bytes(game.secret), f"{customer_id}-1-cards", 4)
    cards = [0] * 4
    for place, card in enumerate(order):
        cards[card] = place // 2
    return cards


def turned(customer_id: int, *cards: int) -> Shown:
    return [turn("memory", customer_id=customer_id, card=card + 1, now=NOW) for card in cards][-1]


def test_memory_in_the_fewest_moves() -> None:
    applied(MEMORY)
    anna = member("anna")
    cards = pictures(anna)
    pair = [place for place, picture in enumerate(cards) if picture == cards[0]]
    rest = [place for place in range(4) if place not in pair]
    first = turned(anna, pair[0])
    assert [one.state for one in first.cards].count("open") == 1
    assert games(anna, now=NOW)[0]["plays_left"] == 1
    with pytest.raises(Problems, match="lies open already"):
        turned(anna, pair[0])
    with pytest.raises(Problems, match="there is no card 9"):
        turned(anna, 8)
    found = turned(anna, pair[1])
    assert ([one.state for one in found.cards].count("found"), found.moves, found.moves_left) == (2, 1, 3)
    over = turned(anna, *rest)
    assert over.played is not None
    assert (over.played.outcome, over.played.prize_key, over.played.score, points(anna)) == ("won", "quick", 2, 50)
    assert GameRound.objects.count() == 0
    assert (GamePlayer.objects.get().plays, violations()) == (1, {})


def test_memory_with_too_many_moves() -> None:
    applied(MEMORY)
    anna = member("anna")
    cards = pictures(anna)
    other = next(place for place in range(4) if cards[place] != cards[0])
    shown = turned(anna, 0, other)
    assert ([one.state for one in shown.cards].count("open"), shown.moves) == (2, 1)
    over = turned(anna, *([0, other] * 3))
    assert over.played is not None
    assert (over.played.outcome, over.played.score, points(anna)) == ("nothing", None, 0)
    assert turned(anna, 0).moves == 0
    with pytest.raises(Problems, match="card by card"):
        play("memory", customer_id=anna, now=NOW)
    with pytest.raises(Problems, match="ended on"):
        turn("memory", customer_id=anna, card=2, now=days(40))


def test_a_prize_draw() -> None:
    applied(DRAW)
    who = [member(f"p{number}") for number in range(6)]
    for customer_id in who:
        for _ in range(2):
            assert play("raffle", customer_id=customer_id, now=NOW).outcome == "entered"
    assert len(games(who[0], now=NOW)[0]["tickets"]) == 2
    assert raffles.due(now=days(20)) == []
    (game_id,) = raffles.due(now=AFTER)
    assert raffles.hold(game_id, now=AFTER) == 6
    assert raffles.hold(game_id, now=AFTER) is None
    rows = GamePlay.objects.order_by("draw").values_list("id", "customer_id", "draw", "prize_id", "outcome")
    secret = bytes(Game.objects.get().secret)
    assert all(draws.draw(secret, draws.ticket(number)) == draw for number, _, draw, _, _ in rows)
    line: list[int] = []
    for _, customer_id, _, _, _ in rows:
        if customer_id not in line:
            line.append(customer_id)
    won = {one[1]: one[3] for one in rows if one[4] == "won"}
    assert set(won) == set(line[:3])
    assert [outcome for _, _, _, _, outcome in rows].count("consolation") == 3
    assert sorted(Award.objects.values_list("kind", flat=True)) == ["item"] + ["points"] * 5
    winners = raffles.winners(game_id)
    assert [key for _, key in winners] == ["first", "second", "second"]
    text = rules_of("raffle", language="en", now=AFTER)
    assert text.secret == secret.hex()
    said = next(one for one in text.sections if one.heading == "The winning tickets")
    assert said.items[0] == f"Ticket {winners[0][0]}: first (Car)"
    assert games(who[0], now=AFTER)[0]["on"] is False
    assert violations() == {}


def test_nobody_plays_after_the_draw() -> None:
    applied(DRAW)
    anna = member("anna")
    play("raffle", customer_id=anna, now=NOW)
    raffles.hold(Game.objects.get().pk, now=NOW)
    with pytest.raises(Problems, match="was drawn already"):
        play("raffle", customer_id=anna, now=NOW)
    assert GamePlay.objects.get().outcome == "won"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (WHEEL | {"prizes": [{"key": "a", "prize": POINTS}]}, "odds: is missing"),
        (WHEEL | {"prizes": [{"key": "a", "odds": 0.1, "right": 2, "prize": POINTS}]}, "means nothing in this game"),
        (WHEEL | {"prizes": []}, "say what can be won"),
        (QUIZ | {"prizes": [{"key": "a", "right": 3, "prize": POINTS}]}, "3 can never be reached"),
        (QUIZ | {"ask": 4}, "there are only 3 questions"),
        (QUIZ | {"prizes": [], "points_each": 0}, "or give points_each"),
        (MEMORY | {"moves": 1}, "moves"),
        (MEMORY | {"prizes": [{"key": "a", "moves": 1, "prize": POINTS}]}, "say 2 to 4"),
        (DRAW | {"draw_at": "2026-03-31T12:00:00"}, "comes before the last ticket"),
        (DRAW | {"prizes": [{"key": "a", "prize": POINTS}]}, "say how many are drawn"),
        (DRAW | {"free": None}, "nobody could play without doing something for it"),
    ],
)
def test_mistakes(changed: dict[str, Any], said: str) -> None:
    applied()
    with pytest.raises(Problems, match=said):
        apply_documents([changed], now=NOW)


@pytest.mark.parametrize("document", [WHEEL, QUIZ, MEMORY, DRAW])
def test_rules_are_written_in_both_languages(document: dict[str, Any]) -> None:
    applied(document | {"age": 18, "free_entry": "Write to us."})
    for language in ("en", "de"):
        text = str(rules_of(document["key"], language=language, now=NOW))
        assert "Write to us." in text
        assert "18" in text
    with pytest.raises(Problems, match="let the person declare it"):
        if document is MEMORY:
            turn("memory", customer_id=member("anna"), card=1, now=NOW)
        else:
            play(document["key"], customer_id=member("anna"), now=NOW, answers=answers() if document is QUIZ else None)
