"""The tracker in a real browser: nothing without consent, events and recognition with it, gone after withdrawal."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from loyalty.events import websites
from loyalty.events.visitors import signed_by_shop
from loyalty.kit.clock import now
from loyalty.kit.sql import fetch

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGE = """<!doctype html><title>Tea</title><script>
window.loyalty = window.loyalty || function () { (loyalty.q = loyalty.q || []).push(arguments) }
loyalty("page")
</script><script async src="%s/t.js" data-site="%s"></script>"""


@pytest.fixture
def shop(live_server: Any) -> Iterator[tuple[str, str, str]]:
    """A shop on an origin of its own that carries the script: its address, its key, a token for c1."""
    page = {"html": b""}

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page["html"])

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    site = websites.save(
        None, name="Shop", origins=[address], events=list(websites.USUAL_EVENTS), active=True, now=now()
    )
    page["html"] = (PAGE % (live_server.url, site.key)).encode()
    token = signed_by_shop("c1", secret=websites.secret_of(site), expires=now() + timedelta(hours=1))
    yield address, site.key, token
    server.shutdown()
    server.server_close()


def stored(expected: int) -> list[tuple[str, str | None]]:
    """Names and external ids of the events, as soon as there are that many; asked from a thread without a loop."""
    found: list[list[tuple[str, str | None]]] = []

    def ask() -> None:
        from django.db import connection

        deadline = time.monotonic() + 15
        while True:
            rows = fetch(
                "SELECT t.name, c.external_id FROM event e JOIN event_type t ON t.id = e.type_id"
                " JOIN customer c ON c.id = e.customer_id WHERE t.name = ANY(%(names)s) ORDER BY e.occurred_at, e.id",
                {"names": list(websites.USUAL_EVENTS)},
            )
            if len(rows) >= expected or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        connection.close()
        found.append(rows)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(30)
    return found[0]


def test_a_visit_from_refusal_to_withdrawal(shop: tuple[str, str, str], browser: Any) -> None:
    address, _key, token = shop
    context = browser.new_context()
    tab = context.new_page()
    sent: list[str] = []
    tab.on("request", lambda request: sent.append(request.url) if request.url.endswith("/t/e") else None)
    loaded = "() => window.loyalty && !window.loyalty.q"

    tab.goto(address + "/tea?utm_source=mail&token=secret")
    tab.wait_for_function(loaded)
    tab.evaluate("loyalty('product', {sku: '4711', name: 'Tea'})")
    tab.wait_for_timeout(1200)
    assert (sent, tab.evaluate("Object.keys(localStorage)"), context.cookies()) == ([], [], [])

    tab.evaluate("loyalty('consent', true)")
    assert stored(2) == [("page_viewed", None), ("product_viewed", None)]
    assert tab.evaluate("Object.keys(localStorage)") == ["_loyalty"]
    visitor = tab.evaluate("localStorage._loyalty")

    tab.goto(address + "/cart")
    tab.wait_for_function(loaded)
    tab.evaluate("token => { loyalty('cart', {amount: 39.9}); loyalty('identify', token) }", token)
    assert [name for name, _ in stored(4)] == ["page_viewed", "product_viewed", "page_viewed", "cart_updated"]
    tab.wait_for_timeout(500)
    assert {who for _, who in stored(4)} == {"c1"}
    assert tab.evaluate("localStorage._loyalty") == visitor

    tab.evaluate("loyalty('consent', false)")
    before = len(sent)
    tab.evaluate("loyalty('page')")
    tab.wait_for_timeout(1200)
    assert (len(sent), tab.evaluate("Object.keys(localStorage)"), context.cookies()) == (before, [], [])


def test_privacy_control_speaks_for_the_visitor(shop: tuple[str, str, str], browser: Any) -> None:
    address, _key, _token = shop
    context = browser.new_context()
    context.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
    tab = context.new_page()
    sent: list[str] = []
    tab.on("request", lambda request: sent.append(request.url) if request.url.endswith("/t/e") else None)
    tab.goto(address)
    tab.wait_for_function("() => window.loyalty && !window.loyalty.q")
    tab.evaluate("loyalty('consent', true); loyalty('page')")
    tab.wait_for_timeout(1200)
    assert (sent, tab.evaluate("Object.keys(localStorage)")) == ([], [])


def test_leaving_the_page_sends_what_waits(shop: tuple[str, str, str], browser: Any) -> None:
    address, _key, _token = shop
    tab = browser.new_context().new_page()
    tab.goto(address)
    tab.wait_for_function("() => window.loyalty && !window.loyalty.q")
    tab.evaluate("loyalty('consent', true); loyalty('cart', {amount: 5})")
    tab.goto("about:blank")
    assert [name for name, _ in stored(2)] == ["page_viewed", "cart_updated"]
