"""The member portal in a browser, on a phone and on a desk, in both schemes and languages: nothing hinders anybody."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache
from django.db import connection

from loyalty.customers.models import Customer
from loyalty.customers.operations import upsert_customers
from loyalty.kit import clock
from loyalty.kit.applying import apply_documents
from loyalty.offers import issuing
from loyalty.portal import letters, sessions
from loyalty.portal.models import EntryRequest
from loyalty.program import movements, purchases, tiering
from loyalty.program.models import Member
from loyalty.program.setup import Setup
from tests.db.loyalty.portal.house import copy_of_event, opened

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}
SEVERE = ("serious", "critical")
OUTSIDE = {"front": "", "join": "join", "sign-in": "sign-in", "rules": "rules", "accessibility": "accessibility"}
INSIDE = {
    "home": "", "points": "points", "rewards": "rewards/", "reward": "rewards/?reward=mug", "offers": "offers/",
    "card": "card/", "play": "play/", "more": "more", "messages": "messages", "profile": "profile",
    "data": "data", "leave": "leave", "receipts": "receipts/",
}  # fmt: skip
MORE: list[dict[str, Any]] = [
    {"kind": "tier", "key": "silver", "rank": 2, "threshold": 2000, "name": {"en": "Silver roast", "de": "Silber"}},
    {"kind": "reward", "key": "mug", "type": "physical", "points": 1500, "stock": 4, "categories": ["kitchen"],
     "name": {"en": "Handmade mug", "de": "Handgemachter Becher"},
     "text": {"en": "Thrown and glazed in Cologne.", "de": "In Köln gedreht und glasiert."}},
    {"kind": "reward", "key": "coffee", "type": "service", "points": 100, "categories": ["bar"],
     "name": {"en": "A cup of coffee", "de": "Eine Tasse Kaffee"}},
    {"kind": "offer", "key": "double", "activate": True, "benefit": {"type": "multiplier", "times": 2},
     "name": {"en": "Double beans in March", "de": "Doppelte Bohnen im März"}},
    {"kind": "voucher_pool", "key": "five", "benefit": {"type": "amount", "amount": 5},
     "name": {"en": "Five euros off", "de": "Fünf Euro Rabatt"}},
    {"kind": "card_series", "key": "digital", "prefix": "77"},
    {"kind": "stamp_card", "key": "ten", "name": {"en": "Ten cups", "de": "Zehn Tassen"}, "size": 10,
     "prizes": [{"type": "points", "points": 20}]},
    {"kind": "challenge", "key": "tour", "name": {"en": "Three shops", "de": "Drei Läden"}, "event": "visit",
     "target": 3, "join": "explicit", "prizes": [{"type": "points", "points": 30}]},
]  # fmt: skip

ORGANIZER = {"name": "Shop", "address": "Weg 1, Köln", "contact": "club@example.com"}
PRIZES = [{"key": "bag", "name": {"en": "A bag", "de": "Ein Beutel"}, "odds": 0.5, "stock": 9,
           "prize": {"type": "points", "points": 50}}]  # fmt: skip
GAMES: list[dict[str, Any]] = [
    {"kind": "game", "key": "scratch", "type": "scratch_card", "age": 16, "free": {"max": 1, "per": "day"},
     "name": {"en": "Scratch and see", "de": "Rubbeln"}, "organizer": ORGANIZER, "prizes": PRIZES},
    {"kind": "game", "key": "advent", "type": "advent_calendar", "age": 0,
     "name": {"en": "Calendar", "de": "Kalender"}, "organizer": ORGANIZER, "prizes": PRIZES},
]  # fmt: skip


@pytest.fixture
def club(site: str) -> Setup:
    cache.clear()
    setup = opened(receipt_photos=True)
    today = clock.now().date()
    days = {"from": today.isoformat(), "to": (today + timedelta(days=23)).isoformat()}
    apply_documents([*MORE, *({**game, **days} for game in GAMES)], now=clock.now())
    return setup


@pytest.fixture
def secret(club: Setup) -> str:
    """The session of a member with points, a wish, a voucher and a card."""
    now = clock.now()
    row = {"email": "anna@example.com", "first_name": "Anna", "last_name": "Blum", "locale": "de"}
    person = upsert_customers([row], now=now, source="test").ids[0]
    assert person is not None
    receipts = [
        {"id": f"r{n}", "customer": {"email": "anna@example.com"}, "amount": amount, "store": "Köln Süd"}
        for n, amount in enumerate((1240, 86, 12))
    ]
    assert purchases.commit(rows=receipts, setup=club, now=now).rejected == []
    member = Member.objects.get(customer_id=person)
    movements.spend(setup=club, member_id=member.pk, wallet=None, points=200, now=now, reason="A cake")
    movements.grant(
        [movements.Grant(member.pk, 60, expires_at=now + timedelta(days=20))], setup=club, wallet=None,
        kind="occasion", reason="Hello", now=now,
    )  # fmt: skip
    tiering.retier_all(club, now=now)
    issuing.issue("five", [issuing.Wanted(person)], source="test", now=now)
    from loyalty.cards.operations import ensure_card
    from loyalty.rewards.wishes import set_wish

    ensure_card(customer_id=person, now=now)
    set_wish(customer_id=person, reward="mug", setup=club, now=now)
    return sessions.begin(person, user_agent="test", now=now)


def shot(page: Any, name: str) -> None:
    """A picture, for whoever wants to look: SHOTS names the folder."""
    if folder := os.environ.get("_SHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def checked(page: Any, name: str, width: int) -> None:
    found = Axe().run(page).response["violations"]
    severe = [(item["id"], item["nodes"][0]["html"]) for item in found if item["impact"] in SEVERE]
    assert (name, severe) == (name, [])
    assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    assert page.locator("h1").count() == 1, name


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize(
    ("size", "scheme"), [("phone", "light"), ("phone", "dark"), ("desk", "light"), ("desk", "dark")]
)
def test_no_page_hinders_anybody(site: str, secret: str, browser: Any, size: str, scheme: str, language: str) -> None:
    view = PHONE if size == "phone" else DESK
    context = browser.new_context(viewport=view, color_scheme=scheme, locale=language)
    context.add_cookies([{"name": "django_language", "value": language, "url": site}])
    page = context.new_page()
    # Axe is put into the page by the browser itself; the page's own policy allows no script.
    for name, path in OUTSIDE.items():
        page.goto(f"{site}/member/{path}")
        checked(page, name, view["width"])
        shot(page, f"{name}-{size}-{scheme}-{language}")
    context.add_cookies([{"name": "member", "value": secret, "url": f"{site}/member/"}])
    for name, path in INSIDE.items():
        page.goto(f"{site}/member/{path}")
        checked(page, name, view["width"])
        shot(page, f"{name}-{size}-{scheme}-{language}")
    context.close()


def in_thread(work: Any) -> Any:
    """Do something with the database beside the browser's loop."""

    def done() -> Any:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(done).result()


def test_joining_and_leaving_by_keyboard_on_a_phone(site: str, club: Setup, browser: Any) -> None:
    page = browser.new_page(viewport=PHONE)
    page.goto(f"{site}/member/")
    page.get_by_role("link", name="Join", exact=True).press("Enter")
    page.locator("form[method=post] button[type=submit]").press("Enter")
    assert page.locator(".summary li").count() == 2
    page.locator(".summary a").first.press("Enter")
    page.locator("#email").fill("ben@example.com")
    page.locator("#terms").press("Space")
    page.locator("form button[type=submit]").press("Enter")
    page.wait_for_url("**/member/code*")

    def code() -> str:
        letters.mail(now=clock.now())
        return str(copy_of_event(EntryRequest.objects.get().message_id)["code"])

    page.locator("#code").fill(in_thread(code))
    page.locator("#code").press("Enter")
    page.wait_for_selector(".note")
    assert "Welcome to Coffee Club!" in page.locator(".note").inner_text()
    page.locator("footer").get_by_role("link", name="Leave the program").press("Enter")
    page.get_by_role("button", name="Leave now").press("Enter")
    page.wait_for_selector(".notice")
    states = in_thread(lambda: list(Member.objects.values_list("state", flat=True)))
    assert states == ["left"]
    assert in_thread(lambda: Customer.objects.filter(email="ben@example.com").count()) == 1
    page.close()
