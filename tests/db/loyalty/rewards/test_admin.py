"""The pages of the shop: every one opens, asks before it acts, does what it says, and is for those who may."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from loyalty.rewards import fulfillment, stock, wishes
from loyalty.rewards.board_pages import bars
from loyalty.rewards.models import Redemption, Reward, RewardCode
from tests.db.loyalty.rewards.store import ADDRESS, MUG, NOW, member, opened, order, points_of, state, taken

pytestmark = pytest.mark.django_db
FILM = {"kind": "reward", "key": "film", "type": "digital", "points": 5, "codes": True}


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:{name}", args=args)


def test_every_page_opens_empty_and_full(boss: Client) -> None:
    pages = [url("rewards_reward_changelist"), url("rewards_redemption_changelist"), url("rewards_board")]
    for page in [*pages, url("rewards_new")]:
        assert boss.get(page).status_code == 200
    assert "Nothing to do" in boss.get(url("rewards_board")).content.decode()
    tour = {"kind": "reward", "key": "tour", "type": "event", "points": 1, "slots": [{"at": "2027-05-01T10:00:00Z"}]}
    box = {"kind": "reward", "key": "box", "type": "bundle", "points": 9, "items": [{"reward": "mug"}]}
    gold = {"kind": "tier", "key": "gold", "rank": 1, "threshold": 500}
    setup = opened(
        gold, MUG | {"money": 4.9, "supplier": "Acme", "text": {"en": "Big <b>"}, "low_stock": 20, "per_person": 9},
        FILM, tour, box, {**MUG, "key": "vip", "visible": {"tiers": ["gold"]}, "state": "paused"},
    )  # fmt: skip
    stock.add_codes(reward_id=Reward.objects.get(key="film").id, codes=["A-1"], now=NOW)
    anna = member("anna", 500, setup)
    for key, rest in (("mug", {"payment": "p-1", "note": "<i>"}), ("film", {}), ("box", {}),
                      ("tour", {"slot": Reward.objects.get(key="tour").rewardslot_set.get().starts_at})):  # fmt: skip
        order(anna, key, setup, **rest)
    wishes.set_wish(customer_id=anna, reward="mug", setup=setup, now=NOW)
    pages += [url("rewards_reward_change", one.pk) for one in Reward.objects.all()]
    pages += [url("rewards_redemption_change", one.pk) for one in Redemption.objects.all()]
    pages += [url("rewards_text", "mug"), url("customers_customer_change", anna), url("rewards_board") + "?reward=mug"]
    for page in pages:
        answer = boss.get(page)
        assert answer.status_code == 200, page
        text = answer.content.decode()
        assert "<b> " not in text and "<i>\n" not in text
    assert "Mug (8)" in boss.get(url("rewards_board")).content.decode()
    assert (
        "A-1"
        in boss.get(url("rewards_redemption_change", Redemption.objects.get(reward__key="film").pk)).content.decode()
    )
    assert boss.get(url("rewards_redemption_changelist") + "?q=anna").status_code == 200


def test_queries_do_not_grow(boss: Client) -> None:
    setup = opened(MUG | {"stock": 50})
    anna = member("anna", 5000, setup)
    order(anna, "mug", setup)
    boss.get(url("rewards_board"))
    pages = [url("rewards_board"), url("rewards_reward_change", Reward.objects.get().pk)]
    few = []
    for page in pages:
        with CaptureQueriesContext(connection) as found:
            boss.get(page)
        few.append(len(found))
    for _ in range(30):
        order(anna, "mug", setup)
    for page, before in zip(pages, few, strict=True):
        with CaptureQueriesContext(connection) as found:
            text = boss.get(page).content.decode()
        assert len(found) == before
        if "board" in page:
            assert "and 6 more" in text


def test_the_board_moves_what_is_ticked(boss: Client) -> None:
    setup = opened(MUG)
    anna = member("anna", 500, setup)
    ids = [order(anna, "mug", setup).redemption_id for _ in range(3)]
    move = url("rewards_board_move")
    assert boss.get(move).status_code == 405
    boss.post(move, {"id": ids[:2], "state": "packed"})
    assert [state(one) for one in ids] == ["packed", "packed", "ordered"]
    answer = boss.post(move, {"id": ids, "state": "shipped"}, follow=True)
    assert "3 redemptions are shipped now" in answer.content.decode()
    answer = boss.post(move, {"id": ids, "state": "packed"}, follow=True)
    assert "3 stayed as they were" in answer.content.decode()
    assert "Nothing was chosen" in boss.post(move, {"state": "packed", "id": ["x"]}, follow=True).content.decode()
    assert "cannot be set" in boss.post(move, {"state": "cancelled", "id": ids}, follow=True).content.decode()


def test_acts_ask_first(boss: Client) -> None:
    setup = opened(MUG, FILM)
    anna = member("anna", 500, setup)
    done = order(anna, "mug", setup).redemption_id
    act = url("rewards_redemption_act", done, "cancel")
    assert boss.get(act).status_code == 200
    assert state(done) == "ordered"
    boss.post(act, {"reason": "broken"})
    assert (state(done), points_of(anna), taken("mug")) == ("cancelled", 500, 0)
    mug, film = Reward.objects.get(key="mug"), Reward.objects.get(key="film")
    boss.post(url("rewards_reward_act", mug.pk, "stock"), {"pieces": 5})
    boss.post(url("rewards_reward_act", film.pk, "codes"), {"codes": "A\nB\n\nA"})
    boss.post(url("rewards_reward_act", film.pk, "pause"))
    mug.refresh_from_db()
    film.refresh_from_db()
    assert (mug.stock, film.stock, film.state, film.definition["state"]) == (15, 2, "paused", "paused")
    assert RewardCode.objects.count() == 2
    second = order(anna, "mug", setup).redemption_id
    boss.post(url("rewards_redemption_act", second, "address"), ADDRESS | {"city": "Bonn", "country": "de"})
    assert Redemption.objects.get(id=second).address["city"] == "Bonn"
    boss.post(url("rewards_redemption_act", second, "pack"))
    boss.post(url("rewards_redemption_act", second, "ship"), {"tracking": "T 1"})
    row = Redemption.objects.get(id=second)
    assert (row.state, row.tracking) == ("shipped", "T 1")


def test_a_reward_as_text(boss: Client) -> None:
    opened()
    answer = boss.post(url("rewards_new"), {"text": "kind: reward\nkey: cup\ntype: physical\npoint: 5\n"})
    text = answer.content.decode()
    assert "Line 4: point: unknown field" in text and "did you mean" in text
    for wrong in ("", "kind: segment\nkey: x\n", "a: [", "- 5"):
        assert 'role="alert"' in boss.post(url("rewards_new"), {"text": wrong}).content.decode()
    assert not Reward.objects.exists()
    assert (
        boss.post(url("rewards_new"), {"text": "kind: reward\nkey: cup\ntype: physical\npoints: 5\n"}).status_code
        == 302
    )
    page = boss.get(url("rewards_text", "cup")).content.decode()
    assert "points: 5" in page
    assert boss.get(url("rewards_text", "nothing")).status_code == 404


def test_a_mistake_in_the_second_reward_has_its_own_line(boss: Client) -> None:
    opened()
    cup = "kind: reward\nkey: cup\ntype: physical\npoints: 5\n"
    answer = boss.post(url("rewards_new"), {"text": f"{cup}---\n{cup.replace('cup', 'bowl')}pieces: 3\n"})
    assert "Line 10: pieces: unknown field" in answer.content.decode()
    assert not Reward.objects.exists()


def test_the_list_for_a_supplier(boss: Client) -> None:
    setup = opened(MUG | {"supplier": "Acme"}, MUG | {"key": "bag", "supplier": "Other"})
    anna = member("anna", 500, setup)
    first = order(anna, "mug", setup, note="=1+1", address=ADDRESS | {"phone": "+49 221 1", "addition": "-cmd"})
    order(anna, "bag", setup)
    shipped = order(anna, "mug", setup).redemption_id
    fulfillment.advance([shipped], state="shipped", now=NOW)
    answer = boss.get(url("rewards_parcels") + "?supplier=Acme")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [(row["number"], row["name"], row["note"]) for row in rows] == [
        (str(first.redemption_id), "Anna Amsel", "'=1+1")
    ]
    assert (rows[0]["phone"], rows[0]["addition"], rows[0]["city"]) == ("+49 221 1", "'-cmd", "Köln")


def test_who_may_only_look_changes_nothing(client: Client) -> None:
    setup = opened(MUG)
    done = order(member("anna", 500, setup), "mug", setup).redemption_id
    user = User.objects.create_user("eve", is_staff=True)
    client.force_login(user)
    for page in ("rewards_board", "rewards_parcels", "rewards_new", "rewards_reward_changelist"):
        assert client.get(url(page)).status_code == 403
    user.user_permissions.add(*Permission.objects.filter(codename__in=["view_redemption", "view_reward"]))
    assert client.get(url("rewards_board")).status_code == 200
    assert 'name="state"' not in client.get(url("rewards_board")).content.decode()
    assert client.post(url("rewards_board_move"), {"id": [done], "state": "packed"}).status_code == 403
    assert client.post(url("rewards_redemption_act", done, "cancel")).status_code == 403
    assert client.get(url("rewards_parcels")).status_code == 403
    assert state(done) == "ordered"


def test_bars_fit_the_drawing() -> None:
    weeks = [(NOW + timedelta(weeks=number), number * 10) for number in range(12)]
    found = bars(weeks)
    assert (len(found), found[0].height, found[11].height, found[11].y) == (12, 0, 96, 0)
    assert all(one.x + one.width <= 480 and one.y + one.height == 96 for one in found)
    assert bars([(NOW, 0)]) == []
