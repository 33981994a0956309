"""The pages of readers in a browser, on a phone: nothing that hinders anybody, and everything by keyboard."""

import os
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from campaigns.delivery import links
from loyalty.consent.choices import Choices, Frequency, save
from loyalty.consent.models import OptInRequest, Topic
from loyalty.customers.models import Customer
from loyalty.kit import clock

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"width": 390, "height": 844}
SEVERE = ("serious", "critical")


@pytest.fixture
def urls(site: str) -> dict[str, str]:
    """Addresses of the pages of a German reader who has chosen before."""
    now = clock.now()
    person = Customer.objects.create(
        external_id="anna", email="anna@example.com", phone="+491701234567", locale="de", created_at=now, updated_at=now
    )
    for position, (key, name, text) in enumerate(
        [("coffee", "Kaffee", "Neue Röstungen, zweimal im Monat"), ("courses", "Kurse", "Barista-Kurse in Köln")]
    ):
        Topic.objects.create(
            key=key, name={"en": key.title(), "de": name}, description={"de": text, "en": text}, position=position,
            created_at=now, updated_at=now,
        )  # fmt: skip
    chosen = Choices({"courses": False}, None, Frequency(1, "week"))
    save(customer_id=person.pk, choices=chosen, source="preference_page", now=now)
    request = OptInRequest.objects.create(
        customer_id=person.pk, channel="email", address="anna@example.com", purposes=["marketing"], source="shop",
        text_version="1", text="Ja, ich möchte Angebote und Neuigkeiten bekommen.", requested_at=now,
        expires_at=now.replace(year=now.year + 1),
    )  # fmt: skip
    return {
        "preferences": f"{site}/p/{links.preferences_token(person.pk)}",
        "confirm": f"{site}/d/{links.confirm_token(request.pk)}",
    }


def shot(page: Any, name: str) -> None:
    """A picture, for whoever wants to look: SHOTS names the folder."""
    if folder := os.environ.get("_SHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["preferences", "confirm"])
def test_a_page_hinders_nobody(urls: dict[str, str], browser: Any, name: str, scheme: str) -> None:
    page = browser.new_page(viewport=PHONE, color_scheme=scheme)
    page.goto(urls[name])
    found = Axe().run(page).response["violations"]
    assert [item["id"] for item in found if item["impact"] in SEVERE] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    shot(page, f"{name}-{scheme}")
    page.close()


def test_a_choice_is_made_by_keyboard_and_stands_in_the_history(urls: dict[str, str], browser: Any) -> None:
    page = browser.new_page(viewport=PHONE)
    page.goto(urls["preferences"])
    switch = page.locator("input[name='topic.coffee']")
    switch.focus()
    page.keyboard.press("Space")
    page.locator("#pause").select_option("30")
    page.locator("form button").first.press("Enter")
    page.wait_for_selector(".saved")
    assert not page.locator("input[name='topic.coffee']").is_checked()
    assert page.locator("#pause").input_value() == "keep"
    page.locator("summary").press("Enter")
    assert page.locator(".history li").count() == 4
    shot(page, "preferences-saved")
    page.close()


def test_the_button_confirms_once(urls: dict[str, str], browser: Any) -> None:
    page = browser.new_page(viewport=PHONE)
    page.goto(urls["confirm"])
    page.locator("form button").press("Enter")
    page.wait_for_selector("[role=status]")
    shot(page, "confirm-done")
    assert page.locator(".more a").count() == 1
    page.close()
