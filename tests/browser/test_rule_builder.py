"""The rule builder as a person uses it: by mouse, by keys, as text."""

from typing import Any

import pytest

from tests.browser.test_admin import SERIOUS, log_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def opened(browser: Any, site: str, address: str = "add/") -> Any:
    page = log_in(browser, site, "en")
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(f"{site}/admin/segments/segment/{address}")
    return page


def text_of(page: Any) -> str:
    found: str = page.eval_on_selector("[name=text]", "area => area.value")
    return found


def until_said(page: Any, said: str) -> None:
    page.wait_for_function(f"document.querySelector('[data-status]').textContent.includes({said!r})")


def test_a_rule_is_put_together_counted_reviewed_and_saved(browser: Any, site: str) -> None:
    page = opened(browser, site)
    until_said(page, "would belong to it")
    assert page.inner_text(".rb-sentence") == "country is one of DE"
    assert page.inner_text(".rb-leaf .rb-count") == "1 person"
    page.get_by_label("values, separated by commas").fill("DE, AT")
    until_said(page, "2 of 3")
    page.get_by_role("button", name="+ Add a group").click()
    page.locator(".rb-group .rb-group > .rb-head select").select_option("none")
    inner = page.locator(".rb-group .rb-group")
    inner.locator(".rb-leaf > .rb-head select").select_option("consent")
    page.wait_for_function("document.querySelector('[name=text]').value.includes('consent: email')")
    until_said(page, "0 of 3")
    inner.get_by_role("button", name="Remove").last.click()
    inner.get_by_role("button", name="+ Add a condition").click()
    inner.get_by_label("event", exact=True).fill("thing_0")
    until_said(page, "1 of 3")
    page.fill("#id_key", "made_here")
    page.fill("#id_name_en", "Made here")
    page.click("text=See what changes")
    assert "Who would belong to it" in page.inner_text("#content")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector("text=Saved. The segment has 1 members.")
    assert page.errors == []


def test_keys_alone_write_a_rule(browser: Any, site: str) -> None:
    page = opened(browser, site)
    until_said(page, "would belong to it")
    page.get_by_role("button", name="+ Add a condition").focus()
    page.keyboard.press("Enter")
    # The focus goes to what was made.
    assert page.evaluate("document.activeElement.dataset.f") == "rule.all[1]|kind"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Move up"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.f") == "rule.all[0]|down"
    page.wait_for_function("document.querySelector('[name=text]').value.startsWith('all:\\n  - {event: purchase')")
    assert page.errors == []


def test_the_text_is_an_equal_view(browser: Any, site: str) -> None:
    page = opened(browser, site)
    until_said(page, "would belong to it")
    page.get_by_role("button", name="Text").click()
    page.fill("[name=text]", "all:\n  - {atribute: country, eq: DE}\n  - {event: purchase, count: many}\n")
    until_said(page, "There is something to mend: 2")
    lines = page.locator("[data-problems] li")
    assert "did you mean 'attribute'?" in lines.nth(0).inner_text()
    assert "line 3" in lines.nth(1).inner_text()
    lines.nth(0).get_by_role("button").click()
    assert page.evaluate("getSelection().toString() || document.activeElement.name") in (
        "text",
        "  - {atribute: country, eq: DE}",
    )
    page.fill("[name=text]", "any:\n  - {attribute: country, eq: CH}\n  - {bucket: x, from: 0, to: 0.5}\n")
    until_said(page, "would belong to it")
    page.get_by_role("button", name="Builder").click()
    page.wait_for_selector(".rb-group.rb-any")
    assert page.locator(".rb-leaf").count() == 2
    assert page.errors == []


def test_every_operator_can_be_chosen_and_drawn(browser: Any, site: str) -> None:
    page = opened(browser, site)
    until_said(page, "would belong to it")
    options = page.eval_on_selector_all(".rb-leaf > .rb-head option", "found => found.map(one => one.value)")
    assert {"event", "attribute", "segment", "list", "consent", "bucket", "insight", "sequence"} <= set(options)
    for key in options:
        page.locator(".rb-leaf > .rb-head select").select_option(key)
        page.wait_for_function("document.activeElement.dataset.f === 'rule.all[0]|kind'")
        assert page.locator(".rb-leaf .rb-fields > *").count() >= 1, key
        assert "[object" not in page.inner_text(".rb-leaf"), key
    assert page.errors == []


def test_the_pages_are_accessible(browser: Any, site: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = opened(browser, site)
    until_said(page, "would belong to it")
    addresses = ["add/", "../graph/", "../overlap/?a=s0&b=s1", "../customerlist/", "../../insights/rfm/"]
    found = []
    for address in addresses:
        page.goto(f"{site}/admin/segments/segment/{address}")
        page.wait_for_load_state("networkidle")
        for violation in Axe().run(page).response["violations"]:
            if violation["impact"] in SERIOUS:
                places = [str(node["target"]) for node in violation["nodes"][:3]]
                found.append(f"{page.url}: {violation['id']} at {', '.join(places)}")
    assert not found, "\n".join(found)
