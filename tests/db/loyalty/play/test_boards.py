"""Leaderboards, challenges in turns, personal targets and levels of badges."""

from typing import Any

import pytest

from loyalty.kit.problems import Problems
from loyalty.play import boards, personal_data, starting
from loyalty.play.board_queries import leaderboards
from loyalty.play.contests import LeaderboardEntry
from loyalty.play.models import ChallengeRun
from loyalty.play.queries import badges, challenges
from tests.db.loyalty.play.fair import NOW, applied, days, followed, happened, member, violations

pytestmark = pytest.mark.django_db
BOARD: dict[str, Any] = {"kind": "leaderboard", "key": "most", "event": "visit", "size": 3}


def stand(who: int, nickname: str) -> None:
    boards.join("most", customer_id=who, nickname=nickname, now=NOW)


def shown(who: int, number: float = 0) -> tuple[list[tuple[int, str, int]], Any]:
    (one,) = leaderboards(who, now=days(number))
    return [(row["rank"], row["nickname"], int(row["score"])) for row in one["rows"]], one["me"]


def test_who_asks_for_it_stands_where_the_timeline_says() -> None:
    applied(BOARD)
    who = [member(f"p{number}") for number in range(4)]
    for number in range(4):
        for _ in range(4 - number):
            happened("visit", f"p{number}")
    for number, name in enumerate(("Mokka", "Luna", "Crema")):
        stand(who[number], name)
    rows, me = shown(who[1])
    assert rows == [(1, "Mokka", 4), (2, "Luna", 3), (3, "Crema", 2)]
    assert (me["rank"], int(me["score"])) == (2, 3)
    assert shown(who[3])[1] is None
    happened("visit", "p1", days(0.01))
    happened("visit", "p1", days(0.02))
    followed(days(1))
    assert shown(who[1], 1)[0][0] == (1, "Luna", 5)
    assert shown(who[1], 40) == ([], {"nickname": "Luna", "hidden": False, "score": 0, "rank": None})
    assert violations() == {}


@pytest.mark.parametrize("nickname", ["x", "a@b.de", "www.shop.example", "<b>Eva</b>", "n" * 21, " - "])
def test_a_nickname_is_a_name(nickname: str) -> None:
    applied(BOARD)
    with pytest.raises(Problems, match="nickname"):
        stand(member("anna"), nickname)


def test_a_nickname_is_taken_once_and_can_be_hidden() -> None:
    applied(BOARD)
    anna, ben = member("anna"), member("ben")
    happened("visit", "anna")
    stand(anna, "Bohnenkönigin")
    with pytest.raises(Problems, match="is taken"):
        stand(ben, "bohnenKÖNIGIN")
    boards.hide(LeaderboardEntry.objects.get().pk, hidden=True, by="eva")
    stand(anna, "Crema")
    assert shown(anna)[0] == []
    assert shown(anna)[1]["hidden"] is True
    boards.hide(LeaderboardEntry.objects.get().pk, hidden=False, by="eva")
    assert shown(ben)[0] == [(1, "Crema", 1)]
    assert boards.leave("most", customer_id=anna) is True
    assert shown(ben)[0] == []
    stand(anna, "Crema")
    personal_data.erase([anna])
    assert LeaderboardEntry.objects.count() == 0
    with pytest.raises(Problems, match="is no member"):
        stand(member("eve", joined=False), "Eve")


def test_challenges_take_turns() -> None:
    common = {"kind": "challenge", "event": "visit", "target": 1, "window": "week", "rotate": "w", "times": "unlimited"}
    applied(common | {"key": "a"}, common | {"key": "b"})
    anna = member("anna")
    up = [[one["key"] for one in challenges(anna, now=days(7 * week))] for week in range(4)]
    assert up in ([["a"], ["b"], ["a"], ["b"]], [["b"], ["a"], ["b"], ["a"]])
    for week in range(4):
        happened("visit", "anna", days(7 * week))
        followed(days(7 * week))
    done = ChallengeRun.objects.filter(state="done").values_list("challenge_id", flat=True)
    assert (len(done), len(set(done)), [*done].count(min(done))) == (4, 2, 2)
    other = "b" if up[0] == ["a"] else "a"
    with pytest.raises(Problems, match="has not begun"):
        starting.join(other, customer_ids=[anna], now=NOW)


def test_a_personal_target_says_why() -> None:
    document = {"kind": "challenge", "key": "more", "event": "visit", "window": "30d", "join": "explicit",
                "personal": {"over": "60d", "factor": 1.5, "max": 20}}  # fmt: skip
    applied(document)
    anna = member("anna")
    for day in range(4):
        happened("visit", "anna", days(-day - 1))
    (before,) = challenges(anna, now=NOW)
    assert (before["state"], before["target"], before["usual"]) == ("available", 3, 2)
    starting.join("more", customer_ids=[anna], now=NOW)
    (after,) = challenges(anna, now=NOW)
    assert (after["state"], after["target"], after["usual"]) == ("open", 3, 2)


def test_a_badge_climbs() -> None:
    levels = [{"key": "bronze", "at": 1}, {"key": "silver", "at": 3}]
    applied(
        {"kind": "badge", "key": "guest", "levels": levels},
        {"kind": "challenge", "key": "one", "event": "visit", "target": 1, "times": "unlimited",
         "prizes": [{"type": "badge", "badge": "guest"}]},
    )  # fmt: skip
    anna = member("anna")
    for day, level in enumerate(("bronze", "bronze", "silver")):
        happened("visit", "anna", days(day))
        followed(days(day))
        (one,) = badges(anna)
        assert (one["times"], one["level"]["key"]) == (day + 1, level)
    assert one["next"] is None
    with pytest.raises(Problems, match="each needs more times"):
        applied({"kind": "badge", "key": "odd", "levels": [*reversed(levels)]})
