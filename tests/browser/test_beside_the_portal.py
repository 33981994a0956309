"""Pages beside the portal's own sections: for partners, at a place, about games and data; and the menu on a desk."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache

from loyalty.kit import clock
from loyalty.kit.applying import apply_documents
from loyalty.partners import operations as partners
from loyalty.partners.models import Partner
from loyalty.portal import sessions
from loyalty.program import check_ins
from loyalty.program.earning_tables import CheckInPlace
from loyalty.program.operations import join
from tests.browser.test_play import GAMES
from tests.browser.test_portal import DESK, MORE, PHONE, checked, shot
from tests.db.loyalty.partners.world import BAKERY
from tests.db.loyalty.portal.house import PROGRAM, opened
from tests.db.loyalty.subscriptions import house

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PLACE = {"kind": "check_in_place", "key": "shop", "name": {"en": "Our shop", "de": "Unser Laden"}}


@pytest.fixture
def opening(site: str) -> dict[str, str]:
    """What opens the pages: a member's session, a partner's key, the screen of a place and its code now."""
    cache.clear()
    setup, now = opened(), clock.now()
    today = now.date()
    days = {"from": today.isoformat(), "to": (today + timedelta(days=20)).isoformat()}
    drawn = {"draw_at": f"{today + timedelta(days=22)}T12:00:00"}
    games = [{**game, **days, **(drawn if game["type"] == "draw" else {})} for game in GAMES]
    program = {**PROGRAM[0], "pin": {"spend_above": 1000}}
    plan = [one for one in (*house.MORE, house.PLAN) if one["kind"] != "tier"]
    apply_documents([program, BAKERY, PLACE, *plan, *MORE, *games], now=now)
    member = house.person("anna")
    join(customer_ids=[member], setup=setup, now=now)
    place = CheckInPlace.objects.get()
    return {
        "member": sessions.begin(member, user_agent="test", now=now),
        "partner": partners.create_key(partner=Partner.objects.get(key="bakery"), now=now).secret,
        "screen": check_ins.screen_of(place),
        "code": check_ins.code_of(place, now=now)[0],
    }


@pytest.mark.parametrize(("language", "size", "scheme"), [
    ("de", "phone", "light"), ("de", "phone", "dark"), ("de", "desk", "light"), ("en", "desk", "dark"),
])  # fmt: skip
def test_no_page_hinders_anybody(
    site: str, opening: dict[str, str], browser: Any, language: str, size: str, scheme: str
) -> None:
    view = PHONE if size == "phone" else DESK
    context = browser.new_context(viewport=view, color_scheme=scheme, locale=language)
    context.add_cookies([{"name": "django_language", "value": language, "url": site}])
    page = context.new_page()

    def look(name: str, path: str) -> None:
        answer = page.goto(f"{site}/{path}")
        assert (name, answer.status) == (name, 200)
        checked(page, name, view["width"])
        shot(page, f"{name}-{size}-{scheme}-{language}")

    look("joint-control", "joint-control/")
    look("screen", f"check-in/screen/{opening['screen']}")
    for game in GAMES:
        look(f"rules-{game['key']}", f"play/{game['key']}/rules")
    look("partner", "partner/")
    page.fill("main input:not([type=hidden])", opening["partner"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/partner/room")
    checked(page, "room", view["width"])
    context.add_cookies([{"name": "member", "value": opening["member"], "url": f"{site}/member/"}])
    for name, path in {
        "pin": "member/pin",
        "check-in": "member/check_in/",
        "scanned": f"check-in/{opening['code']}",
    }.items():
        look(name, path)
    context.close()


def test_the_menu_leaves_room_for_name_and_language(site: str, opening: dict[str, str], browser: Any) -> None:
    context = browser.new_context(viewport=DESK, locale="de")
    context.add_cookies([
        {"name": "django_language", "value": "de", "url": site},
        {"name": "member", "value": opening["member"], "url": f"{site}/member/"},
    ])  # fmt: skip
    page = context.new_page()
    page.goto(f"{site}/member/")
    assert page.locator(".tabs a:visible").count() >= 8
    menu = page.locator(".tabs").bounding_box()
    for other in (".brand", ".tongue"):
        box = page.locator(other).bounding_box()
        assert box["y"] + box["height"] <= menu["y"] + 1, other
    heights = {round(one.bounding_box()["y"]) for one in page.locator(".tabs a:visible").all()}
    assert len(heights) == 1
    assert page.locator(".brand").evaluate("one => one.getClientRects().length") == 1
    context.close()
