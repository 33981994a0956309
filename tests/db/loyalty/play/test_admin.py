"""The pages show what there is, ask before they act, and need permissions."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from loyalty.play.models import Award, Challenge, Game, StampCard
from loyalty.play.playing import play
from tests.db.loyalty.play.fair import GAME, NOW, POINTS, applied, days, followed, happened, member

pytestmark = pytest.mark.django_db
DOCUMENTS = [
    {"kind": "badge", "key": "visitor", "name": "Visitor"},
    {"kind": "challenge", "key": "three", "name": {"en": "Three visits"}, "event": "visit", "target": 3,
     "prizes": [POINTS]},
    {"kind": "stamp_card", "key": "coffee", "size": 2, "earn": [{"event": "visit"}],
     "prizes": [{"type": "item", "name": "=Mug"}]},
    GAME,
]  # fmt: skip


@pytest.fixture
def browser() -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(get_user_model().objects.create_superuser("eva"))
    return client


def fair() -> int:
    applied(*DOCUMENTS)
    anna = member("anna")
    for day in range(2):
        happened("visit", "anna", days(day))
    followed(days(2))
    play("summer", customer_id=anna, now=NOW)
    return anna


@pytest.mark.parametrize("model", ["challenge", "stampcard", "game", "badge", "award"])
def test_lists_are_empty_and_full(browser: Client, model: str) -> None:
    assert browser.get(f"/admin/play/{model}/").status_code == 200
    fair()
    assert browser.get(f"/admin/play/{model}/").status_code == 200


def test_pages(browser: Client) -> None:
    anna = fair()
    said = {
        "challenge": "3 times “visit”.",
        "stampcard": "1 for each “visit”.",
        "game": "2 plays a day are free. Nothing has to be bought for it.",
    }
    models = {"challenge": Challenge, "stampcard": StampCard, "game": Game}
    for model, text in said.items():
        page = browser.get(f"/admin/play/{model}/{models[model].objects.get().pk}/change/")
        assert text in page.content.decode()
    page = browser.get(f"/admin/customers/customer/{anna}/change/").content.decode()
    assert "Challenges, stamps and prizes" in page
    assert "Three visits" in page


def test_pause_and_go_on(browser: Client) -> None:
    fair()
    challenge = Challenge.objects.get()
    address = f"/admin/play/challenge/{challenge.pk}/act"
    assert browser.get(f"{address}/pause/").status_code == 200
    browser.post(f"{address}/pause/")
    challenge.refresh_from_db()
    assert (challenge.state, challenge.definition["state"]) == ("paused", "paused")
    browser.post(f"{address}/go/")
    challenge.refresh_from_db()
    assert (challenge.state, "state" in challenge.definition) == ("active", False)


def test_a_prize_is_handed_over_and_the_log_is_a_file(browser: Client) -> None:
    fair()
    award = Award.objects.get(kind="item")
    browser.post(f"/admin/play/award/{award.pk}/act/given/")
    award.refresh_from_db()
    assert (award.state, award.reason) == ("given", "eva")
    page = browser.get(f"/admin/play/award/{award.pk}/change/").content.decode()
    assert "handed over" in page
    lines = browser.get(f"/admin/play/winners/stamp_card/{award.origin_id}.csv").content.decode().splitlines()
    assert lines[0] == "award,won_at,customer,prize,state,handed_over_at,reason"
    assert lines[1].split(",")[2:5] == ["anna", "'=Mug", "given"]


def test_permissions(client: Client) -> None:
    fair()
    client.force_login(get_user_model().objects.create_user("tom", is_staff=True))
    for address in ("challenge/", f"game/{Game.objects.get().pk}/change/", "winners/game/1.csv"):
        assert client.get(f"/admin/play/{address}").status_code == 403
