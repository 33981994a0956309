"""People are forgotten, joined and separated with their stamps, attempts and plays."""

from uuid import uuid4

import pytest

from loyalty.customers.erasing import erase_customers
from loyalty.customers.joining import merge_customers, undo_merge
from loyalty.kit.sql import fetch
from loyalty.play import personal_data, tickets
from loyalty.play.contests import GameRound
from loyalty.play.models import Award, ChallengeRun, Game, GamePlay, GamePlayer, Stamp, StampSheet
from loyalty.play.playing import play
from loyalty.play.rounds import turn
from tests.db.loyalty.play.fair import GAME, NOW, POINTS, applied, days, followed, happened, member, points, violations

pytestmark = pytest.mark.django_db
BADGE = {"kind": "badge", "key": "b"}
CARD = {"kind": "stamp_card", "key": "coffee", "size": 5, "earn": [{"event": "visit"}], "prizes": [POINTS]}
CHALLENGE = {
    "kind": "challenge",
    "key": "five",
    "event": "visit",
    "target": 5,
    "prizes": [{"type": "badge", "badge": "b"}],
}


def fair() -> tuple[int, int]:
    applied(BADGE, CARD, CHALLENGE, GAME)
    anna, ben = member("anna"), member("ben")
    for who, times in (("anna", 3), ("ben", 4)):
        for day in range(times):
            happened("visit", who, days(day))
    followed(days(5))
    play("summer", customer_id=anna, now=NOW)
    for _ in range(2):
        play("summer", customer_id=ben, now=NOW)
    return anna, ben


def test_forgotten() -> None:
    anna, ben = fair()
    assert sorted(personal_data.export(anna)) == [
        "challenge_run", "customer_badge", "game_play", "game_player", "game_round", "game_ticket", "leaderboard_entry",
        "prize_award", "stamp", "stamp_sheet",
    ]  # fmt: skip
    erase_customers(customer_ids=[anna])
    for model in (Stamp, StampSheet, ChallengeRun, GamePlayer):
        assert set(model.objects.values_list("customer_id", flat=True)) == {ben}
    assert list(GamePlay.objects.order_by("id").values_list("customer_id", "outcome")) == [
        (None, "won"), (ben, "won"), (ben, "won"),
    ]  # fmt: skip
    assert GamePlay.objects.get(customer_id=None).nonce == ""
    assert Award.objects.filter(customer_id=None, reference=None).count() == 1
    assert violations() == {}


def test_joined_into_one() -> None:
    anna, ben = fair()
    merge_customers({ben: anna}, now=days(6), reason="test", actor="eva")
    # Three and four stamps are a full sheet of five and two more.
    sheets = StampSheet.objects.order_by("number").values_list("customer_id", "state", "stamps")
    assert list(sheets) == [(anna, "complete", 5), (anna, "open", 2)]
    assert list(GamePlay.objects.order_by("number").values_list("customer_id", "number")) == [
        (anna, 1),
        (anna, 2),
        (anna, 3),
    ]
    assert list(GamePlayer.objects.values_list("customer_id", "plays", "free_used")) == [(anna, 3, 1)]
    happened("visit", "anna", days(7))
    followed(days(7))
    # The events of both count for the winner's attempt.
    assert list(ChallengeRun.objects.values_list("customer_id", "state")) == [(anna, "done")]
    assert points(anna) == 50 * 3 + 50
    assert fetch("SELECT count(*) FROM customer_badge") == [(1,)]
    assert violations() == {}


@pytest.mark.parametrize("free", [True, False])
def test_a_round_that_is_under_way_ends_with_its_play_back_and_goes_on_when_undone(free: bool) -> None:
    game = {**GAME, "key": "memory", "type": "memory", "pairs": 2, "moves": 4, "free": {"max": 1, "per": "ever"}}
    if not free:
        game = {**{name: given for name, given in game.items() if name != "free"}, "free_entry": {"en": "Write to us."}}
    applied(game)
    anna, ben = member("anna"), member("ben")
    if not free:
        tickets.give(Game.objects.get(), [tickets.Given(ben, 1, uuid4())], source="test", now=NOW)
    shown = turn("memory", customer_id=ben, card=1, now=NOW).cards
    merge_customers({ben: anna}, now=days(6), reason="test", actor="eva")
    left = GamePlayer.objects.values_list("customer_id", "earned", "used", "free_used")
    assert (GameRound.objects.count(), list(left)) == (0, [(anna, 0 if free else 1, 0, 0)])
    ((merge_id,),) = fetch("SELECT id FROM customer_merge")
    undo_merge(merge_id=merge_id, now=days(7), actor="eva")
    assert list(GameRound.objects.values_list("customer_id", "free")) == [(ben, free)]
    player = GamePlayer.objects.get(customer_id=ben)
    assert (player.used, player.free_used) == ((0, 1) if free else (1, 0))
    assert shown[0].state == "open"
    assert turn("memory", customer_id=ben, card=2, now=days(7)).moves == 1
    assert violations() == {}
