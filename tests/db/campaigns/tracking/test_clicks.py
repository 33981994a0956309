"""Clicks and opens over HTTP: where they lead, what they leave, and what they must not do."""

import base64
import random
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns.delivery import links
from campaigns.tracking import operations
from campaigns.tracking.models import Hit
from loyalty.events import types
from loyalty.kit import clock
from loyalty.kit.sql import Sql, execute, fetch
from tests.db.campaigns.tracking.conftest import Send, consent, facts, hits

pytestmark = pytest.mark.django_db
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; rv:144.0) Gecko/20100101 Firefox/144.0"}
SCANNED = ("https://shop.example/a", "https://shop.example/b", "https://shop.example/c")


def click(client: Client, message_id: int, link: int | None = 0, url: str | None = None, method: str = "get"):  # noqa: ANN201
    return getattr(client, method)(f"/t/c/{links.click_token(message_id, link, url)}", headers=BROWSER)


def test_a_click_leads_where_the_template_said_and_becomes_a_fact(client: Client, send: Send) -> None:
    mail = send()
    answer = click(client, mail.message_id)
    assert (answer.status_code, answer["Location"], answer.content) == (302, "https://shop.example/offer", b"")
    assert (answer["Cache-Control"], answer["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert "noindex" in answer["X-Robots-Tag"]
    assert not answer.cookies
    assert hits() == [("click", False, "GET")]
    assert facts("message.clicked") == [
        (mail.customer_id, mail.message_id, {"link": 0, "url": "https://shop.example/offer"})
    ]


def test_a_link_made_of_data_leads_to_the_sealed_address(client: Client, send: Send) -> None:
    mail = send()
    answer = click(client, mail.message_id, None, "https://shop.example/straße?a=1&b=ü")
    assert answer["Location"].startswith("https://shop.example/stra")
    assert hits() == [("click", False, "GET")]


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//evil.example", "https://a.example/\\@b", "x", "ftp://a.example"]
)
def test_the_scheme_is_checked_again(client: Client, send: Send, url: str) -> None:
    answer = click(client, send(links=(url,)).message_id)
    assert (answer.status_code, answer.headers.get("Location")) == (404, None)
    answer = click(client, send().message_id, None, url)
    assert (answer.status_code, answer.headers.get("Location")) == (404, None)
    assert hits() == []


def test_a_number_the_template_does_not_have_leads_nowhere(client: Client, send: Send) -> None:
    assert click(client, send().message_id, 1).status_code == 404


def test_a_message_that_is_gone_leads_only_where_the_token_says(client: Client) -> None:
    assert click(client, 12345 << 25 | 1).status_code == 404
    assert click(client, 12345 << 25 | 1, None, "https://shop.example/x")["Location"] == "https://shop.example/x"
    assert hits() == []


def test_parameters_and_suffixes_change_nothing(client: Client, send: Send) -> None:
    token = links.click_token(send().message_id, 0)
    answer = client.get(f"/t/c/{token}?url=https://evil.example&next=//evil.example", headers=BROWSER)
    assert answer["Location"] == "https://shop.example/offer"
    for wrong in (
        "/",
        "//evil.example",
        "%2f%2fevil.example",
        "\\@evil.example",
        "%0d%0aLocation:x",
        "%2500",
        "=",
        "==",
    ):
        answer = client.get(f"/t/c/{token}{wrong}")
        assert (answer.status_code, "Location" in answer.headers) == (404, False), wrong


def _mutations(token: str, number: int) -> list[str]:
    """Wrong tokens near a right one: every kind of change that a guess or a broken mail program makes."""
    rng = random.Random(7)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    found = {token[:cut] for cut in range(1, len(token))} | {token[cut:] for cut in range(1, len(token))}
    found |= {
        token.swapcase(),
        token[::-1],
        token + token,
        token + "A",
        token + "=",
        "A" + token,
        token.lower(),
        "%00" + token,
    }
    for index in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[index] ^= 1 << bit
            found.add(base64.urlsafe_b64encode(bytes(changed)).rstrip(b"=").decode())
    while len(found) < number:
        found.add("".join(rng.choices(alphabet, k=len(token))))
    return sorted(found - {token})


@pytest.mark.parametrize("door", ["/t/c/", "/t/o/", "/u/", "/p/"])
def test_no_changed_token_gets_through_and_none_touches_the_database(client: Client, send: Send, door: str) -> None:
    mail = send()
    right = {
        "/t/c/": links.click_token(mail.message_id, 0),
        "/t/o/": links.open_token(mail.message_id),
        "/u/": links.unsubscribe_token(mail.message_id, mail.customer_id, "email", "marketing"),
        "/p/": links.preferences_token(mail.customer_id, mail.message_id),
    }
    wrong = _mutations(right[door], 600) + [token for other, token in right.items() if other != door]
    assert len(wrong) >= 500
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answers = [client.get(door + token) for token in wrong]
        if door in ("/u/", "/p/"):
            answers += [client.post(door + token) for token in wrong[:100]]
    assert {answer.status_code for answer in answers} == {404}
    assert not any("Location" in answer.headers for answer in answers)
    assert len({answer.content for answer in answers}) == 1, "the same page for every cause"
    assert len(queries) == 0
    assert client.get(door + right[door]).status_code in (200, 302)


def test_tokens_carry_nothing_that_can_be_read(send: Send) -> None:
    mail = send()
    for token in (
        links.click_token(mail.message_id, None, "https://shop.example/x"),
        links.open_token(mail.message_id),
    ):
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        assert b"shop" not in raw
        assert mail.message_id.to_bytes(8, "big") not in raw
    assert len(links.open_token(mail.message_id)) >= 32


def test_without_consent_the_reader_is_sent_on_and_leaves_no_trace(client: Client, send: Send) -> None:
    mail = send(tracked=False)
    assert click(client, mail.message_id)["Location"] == "https://shop.example/offer"
    assert client.get(f"/t/o/{links.open_token(mail.message_id)}", headers=BROWSER).status_code == 200
    consent(mail.customer_id, "email", "tracking", "withdrawn")
    assert click(client, mail.message_id).status_code == 302
    assert (hits(), facts("message.clicked"), facts("message.opened")) == ([], [], [])


def test_head_is_answered_like_get_but_nobody_clicked(client: Client, send: Send) -> None:
    answer = click(client, send().message_id, method="head")
    assert (answer.status_code, answer["Location"]) == (302, "https://shop.example/offer")
    assert hits() == [("click", True, "HEAD")]
    assert facts("message.clicked") == []


def test_a_program_that_says_so_is_no_reader(client: Client, send: Send) -> None:
    token = links.click_token(send().message_id, 0)
    assert client.get(f"/t/c/{token}", headers={"User-Agent": "Slackbot 1.0"}).status_code == 302
    assert (hits(), facts("message.clicked")) == ([("click", True, "GET")], [])


@pytest.mark.parametrize("door", ["/t/c/", "/t/o/"])
@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_other_methods_are_refused(client: Client, send: Send, door: str, method: str) -> None:
    mail = send()
    token = links.click_token(mail.message_id, 0) if door == "/t/c/" else links.open_token(mail.message_id)
    assert getattr(client, method)(door + token).status_code == 405
    assert hits() == []


def test_the_pixel_is_a_picture_that_no_cache_keeps(client: Client, send: Send) -> None:
    mail = send()
    answer = client.get(f"/t/o/{links.open_token(mail.message_id)}", headers=BROWSER)
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (200, "image/gif", "no-store")
    assert answer.content.startswith(b"GIF89a")
    assert answer.content[6:10] == b"\x01\x00\x01\x00"
    assert facts("message.opened") == [(mail.customer_id, mail.message_id, None)]
    assert (
        client.get(f"/t/o/{links.open_token(mail.message_id)}", headers={"User-Agent": "Mozilla/5.0"}).status_code
        == 200
    )
    assert hits() == [("open", False, "GET"), ("open", True, "GET")]
    assert len(facts("message.opened")) == 1


def test_a_scanner_that_fetches_every_link_twice_clicked_nothing(client: Client, send: Send) -> None:
    mail = send(links=SCANNED)
    for _round in range(2):
        for link in range(3):
            assert click(client, mail.message_id, link).status_code == 302
    assert facts("message.clicked") == [], "nothing is believed before the second is over"
    assert operations.judge(now=clock.now()) == 0, "too early"
    assert operations.judge(now=clock.now() + timedelta(seconds=2)) == 6
    assert hits() == [("click", True, "GET")] * 6
    assert facts("message.clicked") == []
    assert operations.judge(now=clock.now() + timedelta(days=1)) == 0


def test_a_person_clicks_one_of_several_links_even_twice(client: Client, send: Send) -> None:
    mail = send(links=SCANNED)
    click(client, mail.message_id, 1)
    click(client, mail.message_id, 1)
    assert hits() == [("click", None, "GET")] * 2
    assert operations.judge(now=clock.now() + timedelta(seconds=2)) == 2
    assert (
        facts("message.clicked")
        == [(mail.customer_id, mail.message_id, {"link": 1, "url": "https://shop.example/b"})] * 2
    )


def test_two_links_with_time_between_them_are_a_persons(client: Client, send: Send) -> None:
    mail = send(links=SCANNED)
    with time_machine.travel(clock.now() - timedelta(minutes=5), tick=False) as traveller:
        click(client, mail.message_id, 0)
        traveller.shift(1.2)
        click(client, mail.message_id, 2)
    assert operations.judge(now=clock.now()) == 2
    assert [properties["link"] for _, _, properties in facts("message.clicked") if properties] == [0, 2]


def test_links_made_of_data_count_as_several(client: Client, send: Send) -> None:
    mail = send(html="{{ (item.url) | _click(_links) }}")
    click(client, mail.message_id, 0)
    click(client, mail.message_id, None, "https://shop.example/item/1")
    assert operations.judge(now=clock.now() + timedelta(seconds=2)) == 2
    assert hits() == [("click", True, "GET")] * 2


def test_a_set_is_one_statement_whatever_its_size(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    mails = [send(links=SCANNED if number % 2 else ("https://shop.example/offer",)) for number in range(20)]
    # A process remembers the types once their transaction has committed, which that of a test never does.
    monkeypatch.setattr(types, "_ids", types.type_ids(["message.clicked", "message.opened"]))
    statements: list[str] = []
    prepared = operations._prepared

    def counted(query: Sql) -> list[tuple[object, ...]]:
        statements.append(query.text)
        return prepared(query)

    monkeypatch.setattr(operations, "_prepared", counted)
    for number in (1, 20):
        requests = [
            operations.Request(Hit.Kind.CLICK, mail.message_id, 0, None, clock.now(), False, "", "GET")
            for mail in mails[:number]
        ]
        with CaptureQueriesContext(connection) as others:
            answers = operations.record(requests)
        assert all(answer.url and answer.recorded for answer in answers)
        assert [query["sql"] for query in others] == []
    assert len(statements) == 2
    assert len(set(statements)) == 1
    assert len(facts("message.clicked")) == 11
    assert hits().count(("click", None, "GET")) == 10


def test_agents_are_cut_and_cleaned(client: Client, send: Send) -> None:
    token = links.click_token(send().message_id, 0)
    client.get(f"/t/c/{token}", headers={"User-Agent": "Firefox\x00\x1b[31m\u202e" + "x" * 5000})
    agent = fetch("SELECT user_agent FROM hit")[0][0]
    assert agent.startswith("Firefox[31mxxx")
    assert len(agent) <= 300


def test_answers_503_and_keeps_nothing_when_nothing_can_be_written(
    client: Client, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    from campaigns.tracking import views
    from campaigns.tracking.buffer import GroupCommit

    def broken(requests: object) -> list[operations.Answer]:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(views, "hits", GroupCommit(broken))
    answer = click(client, send().message_id)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


def test_erasing_a_person_leaves_no_hit(client: Client, send: Send) -> None:
    from campaigns.tracking import personal_data

    one, other = send(), send(email="ben@example.com")
    click(client, one.message_id)
    click(client, other.message_id)
    assert [row["customer_id"] for row in personal_data.export(one.customer_id)["hit"]] == [one.customer_id]
    assert personal_data.erase([one.customer_id]) == 1
    moved = personal_data.merge({other.customer_id: one.customer_id}, datetime.now(UTC))
    assert len(moved["hit"][other.customer_id]) == 1
    assert fetch("SELECT customer_id FROM hit") == [(one.customer_id,)]


def test_invariants_find_a_fact_without_a_hit(client: Client, send: Send) -> None:
    from campaigns.tracking import invariants  # noqa: F401
    from loyalty.kit.checks import invariants as registered

    click(client, send().message_id)
    own = [one for one in registered() if one.key.startswith("tracking.")]
    assert len(own) == 3
    assert [fetch(one.query.replace("%", "%%")) for one in own] == [[], [], []]
    execute("UPDATE hit SET machine = true")
    assert [len(fetch(one.query.replace("%", "%%"))) for one in own if one.key == "tracking.facts_are_of_people"] == [1]
