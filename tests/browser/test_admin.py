"""The admin as a browser shows it: every page of the sidebar, in both languages, for keys and for screen readers."""

from typing import Any

import pytest

from loyalty.kit.translations import load
from loyalty.local.state import REPOSITORY
from tests.browser.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TEXTS = """() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
    while (walker.nextNode()) {
        const parent = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
        if (text && parent.checkVisibility() && !parent.closest('script,style,pre,code,.material-symbols-outlined'))
            found.push(text);
    }
    return found;
}"""
# Keys and sources that people chose, and a word that is German in the theme: the same letters as texts of ours.
DATA = {"form", "size", "amount", "Import", "import", "events", "Filter"}
SERIOUS = ("serious", "critical")


def log_in(browser: Any, site: str, language: str) -> Any:
    """A page of somebody who is logged in and reads this language."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale=language)
    context.add_cookies([{"name": "django_language", "value": language, "url": site}])
    page = context.new_page()
    page.goto(f"{site}/admin/login/")
    page.fill("#id_username", "boss")
    page.fill("#id_password", PASSWORD)
    page.click("#login-form button[type=submit]")
    page.wait_for_url(f"{site}/admin/")
    return page


def links(page: Any) -> list[str]:
    found: list[str] = page.eval_on_selector_all("#nav-sidebar-apps a", "links => links.map(link => link.href)")
    assert len(found) >= 19
    return found


def english_only() -> set[str]:
    """Texts that a German page must not show: those whose translation differs."""
    catalog = load(REPOSITORY, "de")
    pairs = ((message.id, message.string) for message in catalog if isinstance(message.id, str))
    return {english for english, german in pairs if len(english) > 3 and german and german != english} - DATA


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_page_of_the_sidebar(browser: Any, site: str, language: str) -> None:
    page = log_in(browser, site, language)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(f"{page.url}: {error}"))
    forbidden = english_only() if language == "de" else set()
    for link in links(page):
        answer = page.goto(link)
        if answer.status != 200:
            broken.append(f"{link}: {answer.status}")
        if page.get_attribute("html", "lang") != language:
            broken.append(f"{link}: not in {language}")
        broken += [f"{link}: in English: {text}" for text in page.evaluate(TEXTS) if text in forbidden]
        if page.evaluate("document.documentElement.scrollWidth") > 1440:
            broken.append(f"{link}: wider than the window")
    assert not broken, "\n".join(broken)


def test_main_pages_are_accessible(browser: Any, site: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = log_in(browser, site, "en")
    addresses = [link for link in links(page) if link.rstrip("/").endswith(("/admin", "/customer", "/segment", "s"))]
    page.goto(f"{site}/admin/customers/customer/")
    addresses.append(page.get_attribute("#result_list tbody a", "href"))
    found = []
    for address in addresses:
        page.goto(address if "://" in address else site + address)
        page.wait_for_load_state("networkidle")
        for violation in Axe().run(page).response["violations"]:
            if violation["impact"] in SERIOUS:
                places = [str(node["target"]) for node in violation["nodes"][:3]]
                found.append(f"{page.url}: {violation['id']} at {', '.join(places)}")
    assert not found, "\n".join(found)


def test_the_keyboard_reaches_language_and_menu(browser: Any, site: str) -> None:
    page = log_in(browser, site, "en")
    page.focus("button.account")
    page.keyboard.press("Enter")
    page.click("button:has-text('Deutsch')")
    page.wait_for_function("document.documentElement.lang === 'de'")


def test_a_danger_asks_before_it_acts(browser: Any, site: str) -> None:
    page = log_in(browser, site, "en")
    page.goto(f"{site}/admin/customers/customer/")
    page.click("#result_list tbody a")
    page.click("text=Erase person")
    assert "cannot be undone" in page.inner_text("#content")
    page.click("#content .acts a.button")
    assert page.url.endswith("/change/")
