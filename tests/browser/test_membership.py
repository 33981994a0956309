"""The pages of the paid membership in a browser, on a phone and on a desk, in both schemes and languages."""

import os
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.cache import cache

from loyalty.kit import clock
from loyalty.kit.applying import apply_documents
from loyalty.portal import sessions
from loyalty.program.operations import join
from loyalty.subscriptions import paying
from loyalty.subscriptions.models import Charge
from tests.db.loyalty.portal.house import opened
from tests.db.loyalty.subscriptions import house

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}
SEVERE = ("serious", "critical")


@pytest.fixture
def secrets(site: str) -> tuple[str, str]:
    """Sessions of a member who may order, and of one with a contract."""
    cache.clear()
    setup = opened()
    documents = [*house.MORE, {**house.PLAN, "trial": 14}]
    apply_documents([one for one in documents if one["kind"] != "tier"], now=clock.now())
    found = []
    for name in ("anna", "ben"):
        customer = house.person(name, locale="")
        join(customer_ids=[customer], setup=setup, now=clock.now())
        found.append(sessions.begin(customer, user_agent="test", now=clock.now()))
        if name == "ben":
            apply_documents([house.PLAN], now=clock.now())
            house.ordered(customer, now=clock.now())
            paying.report(Charge.objects.get().pk, "paid", reference="p", now=clock.now())
            house.tick(clock.now())
            apply_documents([{**house.PLAN, "trial": 14}], now=clock.now())
    return found[0], found[1]


def checked(page: Any, name: str, width: int) -> None:
    if folder := os.environ.get("_SHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)
    found = Axe().run(page).response["violations"]
    severe = [(item["id"], item["nodes"][0]["html"]) for item in found if item["impact"] in SEVERE]
    assert (name, severe) == (name, [])
    assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    assert page.locator("h1").count() == 1, name


@pytest.mark.parametrize(("language", "size", "scheme"), [
    ("de", "phone", "light"), ("de", "phone", "dark"), ("en", "desk", "light"), ("en", "desk", "dark"),
])  # fmt: skip
def test_no_page_hinders_anybody(
    site: str, secrets: tuple[str, str], browser: Any, language: str, size: str, scheme: str
) -> None:
    view = PHONE if size == "phone" else DESK
    label = f"{language}-{size}-{scheme}"
    context = browser.new_context(viewport=view, color_scheme=scheme, locale=language)
    page = context.new_page()
    for name, path in (("plans", ""), ("cancel", "cancel"), ("withdraw", "withdraw")):
        page.goto(f"{site}/membership/{path}")
        checked(page, f"{label}-public-{name}", view["width"])
    page.goto(f"{site}/membership/cancel")
    page.locator("form.asked button").press("Enter")
    page.wait_for_selector(".wrong")
    checked(page, f"{label}-public-wrong", view["width"])
    page.fill("#id_name", "Anna Blum")
    page.fill("#id_email", "anna@example.com")
    page.locator("form.asked button").press("Enter")
    page.wait_for_selector(".sign")
    checked(page, f"{label}-public-receipt", view["width"])
    for secret, pages in (
        (secrets[0], (("offer", ""), ("order", "?plan=plus"))),
        (secrets[1], (("contract", ""), ("cancelling", "?do=cancel"), ("withdrawing", "?do=withdraw"))),
    ):
        context.add_cookies([{"name": "member", "value": secret, "url": f"{site}/member/"}])
        for name, query in pages:
            page.goto(f"{site}/member/membership/{query}")
            checked(page, f"{label}-{name}", view["width"])
    context.close()
