"""The counter and the partners' room in a browser: a scanner and a keyboard are enough, nothing hinders anybody."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Permission, User
from django.core.cache import cache

from loyalty.cards.operations import ensure_card
from loyalty.checkout import stores
from loyalty.checkout.models import Store
from loyalty.customers.operations import upsert_customers
from loyalty.kit import clock
from loyalty.kit.applying import apply_documents
from loyalty.partners import operations as partners
from loyalty.partners.models import Partner
from loyalty.program import operations, purchases
from loyalty.program.setup import load
from tests.browser.conftest import PASSWORD
from tests.db.loyalty.portal.house import opened

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SEVERE = ("serious", "critical")
DOCUMENTS: list[dict[str, Any]] = [
    {"kind": "store", "key": "dom", "name": {"en": "Cathedral", "de": "Dom"}, "street": "Domplatz 1",
     "postcode": "50667", "city": "Köln", "country": "DE"},
    {"kind": "card_series", "key": "digital", "prefix": "77"},
    {"kind": "reward", "key": "mug", "type": "physical", "points": 100, "name": {"en": "Mug", "de": "Becher"}},
    {"kind": "partner", "key": "bakery", "name": {"en": "Bakery", "de": "Bäckerei"}, "stores": ["bakery-1"],
     "rates": [{"from": "2020-01-01", "earn": 0.01, "burn": 0.008}]},
]  # fmt: skip


@pytest.fixture
def keys(site: str) -> dict[str, str]:
    """The number of a member's card and the key of a partner."""
    cache.clear()
    opened()
    now = clock.now()
    apply_documents(DOCUMENTS, now=now)
    setup = load("club")
    anna = upsert_customers([{"external_id": "anna", "first_name": "Anna"}], now=now, source="test").ids[0]
    assert anna is not None
    operations.join(customer_ids=[anna], setup=setup, now=now)
    row = {"id": "r1", "customer": "anna", "amount": 300, "store": "bakery-1"}
    assert purchases.commit(rows=[row], setup=setup, now=now).rejected == []
    user = User.objects.create_user("berta", password=PASSWORD, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["use_counter", "redeem_counter"]))
    stores.add_staff(store_id=Store.objects.get().pk, username="berta", now=now)
    key = partners.create_key(partner=Partner.objects.get(), now=now).secret
    return {"card": ensure_card(customer_id=anna, now=now), "key": key}


def checked(page: Any, within: str | None = None) -> None:
    found = Axe().run(page, context=within).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SEVERE] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


@pytest.mark.parametrize(("language", "scheme"), [("en", "dark"), ("de", "light")])
def test_a_scanner_is_enough(site: str, keys: dict[str, str], browser: Any, language: str, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme, locale=language)
    page = context.new_page()
    page.goto(f"{site}/admin/login/")
    page.fill("input[name=username]", "berta")
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/")
    page.goto(f"{site}/admin/counter/")
    checked(page, ".panels")
    # The field has the focus: the scanner types and presses Enter.
    page.keyboard.type(keys["card"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/counter/*/")
    assert page.locator(".card b").first.inner_text() == "300"
    checked(page, ".panels")
    page.locator("tbody[data-lines] input").first.focus()
    for text in ("4006381333931", "", "12.50"):
        page.keyboard.type(text)
        page.keyboard.press("Enter")
    # Enter in a line sends nothing: the next line waits for the next article.
    assert page.locator("tbody[data-lines] input").nth(3).evaluate("field => field === document.activeElement")
    page.locator("form:has(tbody[data-lines]) button[type=submit]").press("Enter")
    page.wait_for_selector(".sums")
    assert "12" in page.locator(".sums").inner_text()
    checked(page, ".panels")
    page.locator("a[href$='/redeem/mug/']").press("Enter")
    page.wait_for_url("**/redeem/mug/")
    checked(page, ".panels")
    page.locator("form:has(input[name=token]) button[type=submit]").press("Enter")
    page.wait_for_url("**/counter/*/")
    assert page.locator(".card b").first.inner_text() == "200"
    context.close()


@pytest.mark.parametrize(("language", "scheme"), [("en", "dark"), ("de", "light")])
def test_the_partners_room(site: str, keys: dict[str, str], browser: Any, language: str, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme, locale=language)
    page = context.new_page()
    page.goto(f"{site}/partner/")
    checked(page)
    page.locator("#key").fill("lc_wrong")
    page.locator("#key").press("Enter")
    page.wait_for_selector("#key-wrong")
    checked(page)
    page.locator("#key").fill(keys["key"])
    page.locator("#key").press("Enter")
    page.wait_for_url("**/partner/room")
    checked(page)
    assert page.locator("h1").inner_text() == {"en": "Bakery", "de": "Bäckerei"}[language]
    context.close()
