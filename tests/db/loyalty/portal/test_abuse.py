"""The portal, used by people who mean harm: what cannot be, what is somebody else's, forms from elsewhere."""

import re
from io import BytesIO
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from loyalty.checkout import photos
from loyalty.kit import clock
from loyalty.kit.applying import apply_documents
from loyalty.kit.checks import invariants, verdict
from loyalty.kit.sql import fetch
from loyalty.portal import sessions
from loyalty.program.operations import join
from loyalty.program.setup import load
from loyalty.rewards.models import Redemption, Reward
from tests.db.loyalty.play.fair import GAME
from tests.db.loyalty.play.test_contests import DRAW, MEMORY, QUIZ, WHEEL
from tests.db.loyalty.portal import house
from tests.db.loyalty.subscriptions.house import PLAN, person

pytestmark = pytest.mark.django_db(transaction=True)
DAYS = {"from": "2020-01-01", "to": "2099-12-31"}
MORE: list[dict[str, Any]] = [
    *({**one, **DAYS, "key": f"game_{place}"} for place, one in enumerate((GAME, WHEEL, QUIZ, MEMORY))),
    {**DRAW, **DAYS, "draw_at": "2100-01-02T12:00:00"},
    {"kind": "challenge", "key": "three", "event": "purchase", "target": 3, "window": "30d", "join": "explicit",
     "prizes": [{"type": "points", "points": 5}]},
    {"kind": "leaderboard", "key": "most", "name": "Most", "event": "visit", "measure": "count", "window": "month"},
    {"kind": "reward", "key": "mug", "name": {"en": "Mug"}, "type": "physical", "points": 5, "stock": 3},
    {**PLAN, "program": "club", "benefits": {"points": 5}},
]  # fmt: skip
HOSTILE = ["\x00", "9" * 30, "-1", "²", "٣", "NaN", "1e999", "\u202e<script>alert(1)</script>", "x" * 3000, "'--", ""]
FIELDS = {
    "play": ["game", "door", "card", "token", "join", "board", "board_leave", "nickname", "q-bean", "of_age"],
    "membership": ["order", "seen", "token", "fee", "cancel", "withdraw", "resume"],
    "rewards": ["reward", "token", "pin", "wish", "unwish", "cancel", "slot", "price", "way", "street", "name"],
    "offers": ["activate"],
    "receipts": ["code", "number", "day", "amount", "note"],
    "check_in": ["code"],
    "card": ["card"],
}


@pytest.fixture
def inside(client: Client) -> Client:
    cache.clear()
    setup = house.opened(receipt_photos=True)
    apply_documents(MORE, now=clock.now())
    anna = person("anna")
    join(customer_ids=[anna], setup=setup, now=clock.now())
    client.cookies["member"] = sessions.begin(anna, user_agent="test", now=clock.now())
    return client


def sound() -> dict[str, Any]:
    """What does not hold; the person was written past the profile, which hashes addresses."""
    checks = [check for check in invariants() if not check.key.startswith("customers.")]
    return {check.key: found.samples for check in checks if (found := verdict(check)).violations}


@pytest.mark.parametrize("section", sorted(FIELDS))
def test_hostile_fields_of_a_section_are_answered(inside: Client, section: str) -> None:
    path = f"/member/{section}/"
    for value in HOSTILE:
        for name in FIELDS[section]:
            answer = inside.post(path, {name: value})
            assert answer.status_code in (302, 400, 404, 422), (name, value, answer.status_code)
        answer = inside.post(path, dict.fromkeys(FIELDS[section], value))
        assert answer.status_code in (302, 400, 404, 422), (value, answer.status_code)
        page = inside.get(path, {"plan": value, "do": value, "code": value, "reward": value, "before": value})
        assert page.status_code in (200, 400, 404)
        assert b"<script>alert" not in page.content
    assert sound() == {}


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_fields_of_the_other_pages_are_answered(inside: Client, client: Client, value: str) -> None:
    for path in ("", "points", "profile", "messages", "data", "pin", "rules", "more", "leave"):
        assert inside.get(f"/member/{path}", {"before": value, "next": value}).status_code in (200, 302, 400, 404), path
    for path, names in {
        "profile": ["first_name", "last_name", "birth_date", "phone", "postcode", "city"],
        "messages": ["shown", "topic.x", "nothing"],
        "pin": ["pin", "current"],
    }.items():
        assert inside.post(f"/member/{path}", dict.fromkeys(names, value)).status_code in (200, 302, 400, 422), path
    stranger = Client()
    for path, names in {
        "join": ["email", "first_name", "last_name", "birth_date", "terms"], "sign-in": ["email"], "code": ["code"],
    }.items():  # fmt: skip
        assert stranger.post(f"/member/{path}", dict.fromkeys(names, value)).status_code in (200, 302, 400, 422), path
    stranger.cookies["member"] = value if value.isascii() and value.isprintable() else "x"
    assert stranger.get("/member/").status_code == 200
    assert stranger.get("/member/points").status_code == 302


def test_a_form_of_another_site_does_nothing(inside: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies["member"] = inside.cookies["member"].value
    for path in (
        "play/",
        "membership/",
        "leave",
        "data/erase",
        "data/download",
        "sign-out",
        "profile",
        "messages",
        "pin",
    ):
        assert strict.post(f"/member/{path}", {"cancel": "1", "erase": "1"}).status_code == 403, path
    assert fetch("SELECT state FROM member") == [("active",)]


def test_a_get_changes_nothing(inside: Client) -> None:
    for path in ("leave", "membership/?cancel=1&order=plus", "play/?game=game_0&door=1", "rewards/?reward=mug"):
        assert inside.get(f"/member/{path}").status_code == 200, path
    for path in ("data/erase", "data/download", "sign-out", "join/now"):
        assert inside.get(f"/member/{path}").status_code == 405, path
    assert fetch("SELECT state FROM member") == [("active",)]
    assert fetch("SELECT count(*) FROM game_play") == [(0,)]
    assert fetch("SELECT count(*) FROM subscription") == [(0,)]


def test_every_page_leads_to_where_contracts_are_ended_only_where_there_is_a_plan(client: Client) -> None:
    house.opened()
    link = 'href="/membership/"'
    assert link not in client.get("/member/").content.decode()
    apply_documents([{**PLAN, "benefits": {"points": 5}}], now=clock.now())
    for path in ("", "join", "sign-in", "rules", "accessibility"):
        assert link in client.get(f"/member/{path}").content.decode(), path
    assert "Verträge hier kündigen" in client.get("/member/", headers={"accept-language": "de"}).content.decode()


def test_no_answer_of_a_quiz_is_told_before_it_is_given(inside: Client) -> None:
    page = inside.get("/member/play/").content.decode()
    assert "Arabica" in page and "Which bean" in page
    answers = [line for line in page.splitlines() if "arabica" in line or "soy" in line]
    assert len({re.sub("(?i)arabica|soy", "x", line) for line in answers}) == 1, answers
    assert "secret" not in page


def bomb(width: int, height: int, form: str) -> bytes:
    from PIL import Image

    out = BytesIO()
    Image.new("L", (width, height)).save(out, form)
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff\xd8\xff", b"GIF89a" + b"\x00" * 50, b"%PDF-1.4", b"\x89PNG\r\n\x1a\n" + b"\x00" * 40,
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><image href="file:///etc/passwd"/></svg>',
        b"<?php system($_GET[0]);", b"RIFF\x00\x00\x00\x00WEBPVP8 ",
    ],
)  # fmt: skip
def test_what_is_no_picture_is_not_kept(inside: Client, content: bytes) -> None:
    file = BytesIO(content)
    file.name = "../../etc/passwd\x00.jpg"
    assert inside.post("/member/receipts/", {"photo": file}).status_code == 302
    assert fetch("SELECT count(*) FROM receipt_photo") == [(0,)]


@pytest.mark.parametrize(("width", "height", "form"), [(9000, 9000, "PNG"), (6000, 5000, "PNG"), (9000, 9000, "JPEG")])
def test_a_picture_that_would_fill_the_memory_is_refused(inside: Client, width: int, height: int, form: str) -> None:
    file = BytesIO(bomb(width, height, form))
    file.name = "x.jpg"
    assert len(file.getvalue()) < 1_000_000
    inside.post("/member/receipts/", {"photo": file})
    assert fetch("SELECT count(*) FROM receipt_photo") == [(0,)]


def test_no_picture_is_unpacked_for_who_has_sent_enough_today(inside: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def send(side: int) -> None:
        file = BytesIO(bomb(side, 300, "PNG"))
        file.name = "x.png"
        assert inside.post("/member/receipts/", {"photo": file}).status_code == 302

    for number in range(photos.A_DAY):
        send(300 + number)
    assert fetch("SELECT count(*) FROM receipt_photo") == [(photos.A_DAY,)]
    monkeypatch.setattr(photos, "draw", None)
    send(400)
    assert fetch("SELECT count(*) FROM receipt_photo") == [(photos.A_DAY,)]


def test_nobody_cancels_an_order_of_somebody_else(inside: Client) -> None:
    anna, ben = fetch("SELECT id FROM customer")[0][0], person("ben")
    join(customer_ids=[ben], setup=load("club"), now=clock.now())
    reward = Reward.objects.get(key="mug")
    for who, number in ((anna, 5), (ben, 57)):
        Redemption.objects.create(
            id=number, program_id=reward.program_id, customer_id=who, reward=reward, state_since=clock.now(),
            ordered_at=clock.now(), source="x",
        )  # fmt: skip
    for text in ("57", "0" * 17 + "57", "0" * 20 + "57", "5 7"):
        inside.post("/member/rewards/", {"cancel": text})
    assert fetch("SELECT id, state FROM reward_redemption ORDER BY id") == [(5, "ordered"), (57, "ordered")]
