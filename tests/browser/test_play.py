"""The games in a browser, by keyboard and without a script: a wheel, a quiz, a memory, tickets, a leaderboard."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache

from loyalty.customers.operations import upsert_customers
from loyalty.events import operations as events
from loyalty.kit import clock
from loyalty.kit.applying import apply_documents
from loyalty.play import awards, boards
from loyalty.play.follow import follow
from loyalty.portal import sessions
from loyalty.program import membership
from loyalty.program.setup import Setup
from tests.browser.conftest import PASSWORD
from tests.db.loyalty.portal.house import opened

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}
SEVERE = ("serious", "critical")
POINTS = {"type": "points", "points": 50}
COMMON: dict[str, Any] = {
    "kind": "game", "age": 16, "free": {"max": 3, "per": "day"},
    "organizer": {"name": "Shop", "address": "Weg 1, Köln", "contact": "club@example.com"},
}  # fmt: skip
GAMES: list[dict[str, Any]] = [
    COMMON | {
        "key": "wheel", "type": "wheel", "name": {"en": "Wheel of beans", "de": "Bohnenrad"},
        "prizes": [
            {"key": "mug", "odds": 0.05, "stock": 4, "name": {"en": "A mug", "de": "Ein Becher"},
             "prize": {"type": "item", "name": {"en": "A mug", "de": "Ein Becher"}}},
            {"key": "fifty", "odds": 0.2, "prize": POINTS},
            {"key": "five", "odds": 0.3, "prize": {"type": "points", "points": 5}},
        ],
    },
    COMMON | {
        "key": "quiz", "type": "quiz", "name": {"en": "Coffee quiz", "de": "Kaffeequiz"}, "points_each": 5,
        "reveal": True, "age": 0, "prizes": [{"key": "all", "right": 1, "stock": 9, "prize": POINTS}],
        "questions": [
            {"key": "home", "text": {"en": "Where does coffee come from?", "de": "Woher kommt der Kaffee?"},
             "answers": [{"key": "eth", "text": {"en": "Ethiopia", "de": "Äthiopien"}, "right": True},
                         {"key": "isl", "text": {"en": "Iceland", "de": "Island"}}]},
            {"key": "drink", "text": {"en": "How do you drink it?", "de": "Wie trinken Sie ihn?"},
             "answers": [{"key": "black", "text": {"en": "Black", "de": "Schwarz"}},
                         {"key": "milk", "text": {"en": "With milk", "de": "Mit Milch"}}]},
        ],
    },
    COMMON | {"key": "pairs", "type": "memory", "pairs": 6, "age": 0, "name": {"en": "Pairs", "de": "Paare finden"},
              "prizes": [{"key": "quick", "moves": 10, "prize": POINTS},
                         {"key": "slow", "moves": 24, "prize": {"type": "points", "points": 5}}]},
    COMMON | {"key": "tombola", "type": "draw", "age": 0, "name": {"en": "Summer draw", "de": "Sommerverlosung"},
              "prizes": [{"key": "trip", "stock": 1, "name": {"en": "A week in Rome", "de": "Eine Woche in Rom"},
                          "prize": {"type": "item", "name": {"en": "A week in Rome", "de": "Eine Woche in Rom"}}}]},
]  # fmt: skip
OTHERS: list[dict[str, Any]] = [
    {"kind": "badge", "key": "guest", "name": {"en": "Regular guest", "de": "Stammgast"},
     "levels": [{"key": "bronze", "at": 1}, {"key": "silver", "at": 3}, {"key": "gold", "at": 10}]},
    {"kind": "challenge", "key": "often", "name": {"en": "Come by", "de": "Schau vorbei"}, "event": "visit",
     "personal": {"over": "90d", "factor": 1.5, "max": 20}, "window": "30d", "join": "explicit",
     "prizes": [{"type": "badge", "badge": "guest"}]},
    {"kind": "challenge", "key": "turn_a", "name": {"en": "Two shops", "de": "Zwei Läden"}, "event": "visit",
     "target": 1, "window": "week", "rotate": "weekly", "times": "unlimited",
     "prizes": [{"type": "badge", "badge": "guest"}]},
    {"kind": "leaderboard", "key": "most", "event": "visit", "name": {"en": "Most visits", "de": "Meiste Besuche"}},
]  # fmt: skip


def person(email: str, setup: Setup, visits: int) -> int:
    now = clock.now()
    row = {"email": email, "external_id": email.partition("@")[0], "first_name": "Anna", "locale": "de"}
    found = upsert_customers([row], now=now, source="test").ids[0]
    assert found is not None
    membership.join([found], setup=setup, now=now)
    past = [{"name": "visit", "customer": row["external_id"], "occurred_at": (now - timedelta(hours=n)).isoformat()}
            for n in range(visits)]  # fmt: skip
    events.intake(events=past, now=now, source="test")
    return found


@pytest.fixture
def secret(site: str) -> str:
    """The session of a member with visits, a badge, and others on the leaderboard."""
    cache.clear()
    setup, now = opened(), clock.now()
    today = now.date()
    span = {"from": today.isoformat(), "to": (today + timedelta(days=20)).isoformat()}
    drawn = {"draw_at": f"{today + timedelta(days=22)}T12:00:00"}
    games = [game | span | (drawn if game["type"] == "draw" else {}) for game in GAMES]
    apply_documents([*OTHERS, *games], now=now)
    anna = person("anna@example.com", setup, 4)
    for number, name in enumerate(("Bohnenkönigin", "Mokka-Max", "Luna 7")):
        boards.join("most", customer_id=person(f"p{number}@example.com", setup, 5 - number), nickname=name, now=now)
    while follow(now=clock.now()):
        pass
    awards.give_due(now=clock.now())
    return sessions.begin(anna, user_agent="test", now=now)


def shot(page: Any, name: str) -> None:
    """A picture, for whoever wants to look: SHOTS names the folder."""
    if folder := os.environ.get("_SHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def checked(page: Any, name: str, width: int) -> None:
    found = Axe().run(page).response["violations"]
    severe = [(item["id"], item["nodes"][0]["html"]) for item in found if item["impact"] in SEVERE]
    assert (name, severe) == (name, [])
    assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    shot(page, name)


def opened_page(browser: Any, site: str, secret: str, view: dict[str, int], scheme: str, language: str) -> Any:
    context = browser.new_context(viewport=view, color_scheme=scheme, locale=language, reduced_motion="reduce")
    context.add_cookies([{"name": "django_language", "value": language, "url": site}])
    context.add_cookies([{"name": "member", "value": secret, "url": f"{site}/member/"}])
    page = context.new_page()
    page.goto(f"{site}/member/play/")
    return page


@pytest.mark.parametrize(
    ("view", "scheme", "language"), [(PHONE, "light", "de"), (PHONE, "dark", "en"), (DESK, "dark", "de")]
)
def test_games_are_played(
    site: str, secret: str, browser: Any, view: dict[str, int], scheme: str, language: str
) -> None:
    page = opened_page(browser, site, secret, view, scheme, language)
    tag = f"{view['width']}-{scheme}-{language}"
    checked(page, f"play-{tag}", view["width"])

    block = page.locator("section.game", has=page.locator("svg.wheel"))
    block.locator("[name=of_age]").check()
    block.locator("form button").press("Enter")
    page.wait_for_selector(".wheel-row + .result")
    checked(page, f"wheel-{tag}", view["width"])

    page.locator("[name=q-home][value=isl]").check()
    page.locator("[name=q-drink][value=milk]").check()
    page.locator("form.quiz button").press("Enter")
    page.wait_for_selector("ul.right")
    assert page.locator("ul.right li").count() == 1
    checked(page, f"quiz-{tag}", view["width"])

    page.locator(".cards button").first.press("Enter")
    page.wait_for_selector(".card.open")
    assert page.evaluate("document.activeElement.name") == "card"
    page.keyboard.press("Enter")
    page.locator(".card").nth(1).wait_for()
    checked(page, f"memory-{tag}", view["width"])

    tickets = page.locator("section.game", has=page.locator("h2", has_text="Summer" if language == "en" else "Sommer"))
    tickets.locator("form button").press("Enter")
    page.wait_for_selector(".numbers")

    page.locator("[name=nickname]").fill("Crema")
    page.locator("[name=nickname]").press("Enter")
    page.wait_for_selector("tr.me")
    assert page.locator("tr.me td").first.inner_text() == "2"
    checked(page, f"board-{tag}", view["width"])
    page.context.close()


@pytest.mark.parametrize(("scheme", "language"), [("light", "en"), ("dark", "de")])
def test_their_pages_in_the_admin(site: str, secret: str, browser: Any, scheme: str, language: str) -> None:
    context = browser.new_context(viewport=DESK, color_scheme=scheme, locale=language)
    context.add_cookies([{"name": "django_language", "value": language, "url": site}])
    page = context.new_page()
    page.goto(f"{site}/admin/login/")
    page.fill("#id_username", "boss")
    page.fill("#id_password", PASSWORD)
    page.click("#login-form button[type=submit]")
    page.wait_for_url(f"{site}/admin/")
    for model in ("challenge", "game", "badge", "leaderboard", "award", "stampcard"):
        page.goto(f"{site}/admin/play/{model}/")
        checked(page, f"admin-{model}-{scheme}-{language}", DESK["width"])
        inner = page.eval_on_selector_all(
            "#result_list tbody th a, #result_list tbody a", "links => links.map(link => link.href)"
        )
        for number, link in enumerate(inner[:4]):
            page.goto(link)
            checked(page, f"admin-{model}-{number}-{scheme}-{language}", DESK["width"])
    context.close()
