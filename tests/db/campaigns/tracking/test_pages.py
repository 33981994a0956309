"""Unsubscribe and preferences: a GET shows, a POST acts at once, both in the reader's language."""

import re

import pytest
from django.test import Client

from campaigns.delivery import links
from campaigns.tracking import queries
from loyalty.kit.sql import execute, fetch, fetch_dicts
from tests.db.campaigns.tracking.conftest import Mail, Send, consent, facts, hits, state

pytestmark = pytest.mark.django_db
MARKETING = ("email", "marketing")


@pytest.fixture
def strict() -> Client:
    """A client that checks CSRF as a browser's requests are checked."""
    return Client(enforce_csrf_checks=True)


def unsubscribe_url(mail: Mail, channel: str = "email", purpose: str = "marketing") -> str:
    return f"/u/{links.unsubscribe_token(mail.message_id, mail.customer_id, channel, purpose)}"


def preferences_url(mail: Mail) -> str:
    return f"/p/{links.preferences_token(mail.customer_id, mail.message_id)}"


def entries(customer_id: int) -> list[dict[str, object]]:
    return fetch_dicts(
        f"SELECT channel, purpose, status, source, evidence FROM consent_entry WHERE source <> 'test'"
        f" AND customer_id = {customer_id} ORDER BY id"
    )


def test_getting_the_page_any_number_of_times_changes_nothing(strict: Client, send: Send) -> None:
    mail = send()
    before = state(mail.customer_id)
    for url in (unsubscribe_url(mail), preferences_url(mail)):
        for _round in range(3):
            assert strict.get(url).status_code == 200
            assert strict.head(url).status_code == 200
            assert strict.get(url + "?List-Unsubscribe=One-Click&nothing=1").status_code == 200
    assert (state(mail.customer_id), entries(mail.customer_id), hits()) == (before, [], [])
    assert facts("message.unsubscribed") == []


def test_one_click_needs_no_cookie_no_csrf_and_no_redirect(strict: Client, send: Send) -> None:
    mail = send()
    answer = strict.post(
        unsubscribe_url(mail),
        "List-Unsubscribe=One-Click",
        content_type="application/x-www-form-urlencoded",
    )
    assert (answer.status_code, answer.headers.get("Location"), len(answer.cookies)) == (200, None, 0)
    assert state(mail.customer_id)[MARKETING] == "withdrawn"
    assert [(row["source"], row["status"]) for row in entries(mail.customer_id)] == [("one_click", "withdrawn")]
    assert str(mail.message_id) in str(entries(mail.customer_id)[0]["evidence"])
    assert facts("message.unsubscribed") == [(mail.customer_id, mail.message_id, {"source": "one_click"})]
    assert hits() == [("unsubscribe", False, "POST")]


def test_multipart_one_click_and_an_empty_body_act_too(strict: Client, send: Send) -> None:
    first, second = send(), send(email="ben@example.com")
    assert strict.post(unsubscribe_url(first), {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert strict.post(unsubscribe_url(second), "", content_type="text/plain").status_code == 200
    assert [entries(mail.customer_id)[0]["source"] for mail in (first, second)] == ["one_click", "unsubscribe_page"]


def test_pressing_again_changes_nothing_more(strict: Client, send: Send) -> None:
    mail = send()
    for _round in range(3):
        answer = strict.post(unsubscribe_url(mail))
        assert answer.status_code == 200
        assert "unsubscribed" in answer.content.decode() or 'lang="de"' in answer.content.decode()
    assert len(entries(mail.customer_id)) == 1
    assert len(facts("message.unsubscribed")) == 1


def test_only_the_channel_and_purpose_of_the_link_are_withdrawn(strict: Client, send: Send) -> None:
    mail = send(phone="+4915112345678")
    consent(mail.customer_id, "sms", "marketing")
    strict.post(unsubscribe_url(mail, "sms"))
    assert state(mail.customer_id) == {
        ("email", "marketing"): "granted",
        ("email", "tracking"): "granted",
        ("sms", "marketing"): "withdrawn",
    }
    strict.post(unsubscribe_url(mail, "email", "service"))
    assert state(mail.customer_id)["email", "service"] == "withdrawn"
    assert state(mail.customer_id)["email", "marketing"] == "granted"
    strict.post(unsubscribe_url(mail, "email", "transactional"))
    assert state(mail.customer_id)["email", "marketing"] == "withdrawn"


def test_who_was_erased_gets_a_friendly_page_and_nothing_is_written(strict: Client, send: Send) -> None:
    mail = send()
    execute("DELETE FROM consent_state")
    execute("DELETE FROM customer")
    answer = strict.post(unsubscribe_url(mail))
    assert answer.status_code == 200
    assert strict.get(unsubscribe_url(mail)).status_code == 200
    assert strict.get(preferences_url(mail)).status_code == 404
    assert entries(mail.customer_id) == []


def test_preferences_save_what_changed_and_only_that(strict: Client, send: Send) -> None:
    mail = send(phone="+4915112345678")
    page = strict.get(preferences_url(mail)).content.decode()
    assert re.findall(r'<(?:input|button)[^>]* name="([a-z.]+)"( checked)?', page) == [
        ("email.marketing", " checked"),
        ("sms.marketing", ""),
        ("whatsapp.marketing", ""),
        ("email.tracking", " checked"),
        ("nothing", ""),
    ]
    answer = strict.post(preferences_url(mail), {"email.marketing": "on", "sms.marketing": "on"})
    assert answer.status_code == 200
    assert state(mail.customer_id) == {
        ("email", "marketing"): "granted",
        ("email", "tracking"): "withdrawn",
        ("sms", "marketing"): "granted",
    }
    assert [(row["channel"], row["purpose"], row["status"], row["source"]) for row in entries(mail.customer_id)] == [
        ("email", "tracking", "withdrawn", "preference_page"),
        ("sms", "marketing", "granted", "preference_page"),
    ]
    strict.post(preferences_url(mail), {"email.marketing": "on", "sms.marketing": "on"})
    assert len(entries(mail.customer_id)) == 2
    assert facts("message.unsubscribed") == []


def test_nothing_more_means_nothing_more(strict: Client, send: Send) -> None:
    mail = send(phone="+4915112345678")
    consent(mail.customer_id, "letter", "marketing")
    strict.post(preferences_url(mail), {"email.marketing": "on", "email.tracking": "on", "nothing": "1"})
    assert set(state(mail.customer_id).values()) == {"withdrawn"}
    assert facts("message.unsubscribed") == [(mail.customer_id, mail.message_id, {"source": "preference_page"})]


def test_fields_that_were_not_offered_are_ignored(strict: Client, send: Send) -> None:
    mail = send()
    strict.post(
        preferences_url(mail),
        {"email.marketing": "on", "email.tracking": "on", "push.marketing": "on", "email.profiling": "on"},
    )
    assert entries(mail.customer_id) == []


def test_addresses_are_shown_so_that_only_their_owner_knows_them(client: Client, send: Send) -> None:
    mail = send(email="anna.muster@example.com", phone="+4915112345678")
    for url in (unsubscribe_url(mail), preferences_url(mail)):
        page = client.get(url).content.decode()
        assert "a…@example.com" in page
        assert "anna.muster" not in page
        assert "15112345" not in page
        assert "Kaffeehaus Blum" in page
    assert [queries.masked(text) for text in ("x@y.de", "+4915112345678", "")] == ["x…@y.de", "…78", "…"]


def test_values_are_escaped(client: Client, send: Send) -> None:
    mail = send(email='"<script>alert(1)</script>"@example.com')
    execute('UPDATE sender SET settings = \'{"from_name": "<img src=x onerror=alert(1)>"}\'')
    page = client.get(unsubscribe_url(mail)).content.decode()
    assert "<script" not in page
    assert "<img" not in page


@pytest.mark.parametrize(
    ("locale", "accepts", "shown"),
    [
        ("de", "en", "de"),
        ("de-AT", "en", "de"),
        ("en-GB", "de", "en"),
        (None, "de-CH, en;q=0.5", "de"),
        (None, "fr, en;q=0.5", "en"),
        ("fr", "de", "de"),
        (None, "", "en"),
    ],
)
def test_language(client: Client, send: Send, locale: str | None, accepts: str, shown: str) -> None:
    mail = send(locale=locale)
    for url in (unsubscribe_url(mail), preferences_url(mail)):
        answer = client.get(url, headers={"Accept-Language": accepts})
        assert f'<html lang="{shown}">' in answer.content.decode()
        assert answer["Content-Language"] == shown


def test_every_page_carries_strict_headers_and_needs_no_script(client: Client, send: Send) -> None:
    mail = send()
    answers = [client.get(unsubscribe_url(mail)), client.post(unsubscribe_url(mail)), client.get(preferences_url(mail))]
    answers += [client.post(preferences_url(mail)), client.get("/p/wrong")]
    for answer in answers:
        policy = answer["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "script-src" not in policy
        assert (answer["Referrer-Policy"], answer["Cache-Control"]) == ("no-referrer", "no-store")
        page = answer.content.decode()
        assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=|https?://", page)
        assert page.count("<h1") == 1
        assert "viewport" in page


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_refused(client: Client, send: Send, method: str) -> None:
    mail = send()
    for url in (unsubscribe_url(mail), preferences_url(mail)):
        assert getattr(client, method)(url).status_code == 405
    assert entries(mail.customer_id) == []


def test_consent_and_fact_stand_or_fall_together(strict: Client, send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    from campaigns.tracking import operations

    def broken(*args: object) -> int:
        raise RuntimeError("fact")

    monkeypatch.setattr(operations.facts, "write", broken)
    mail = send()
    with pytest.raises(RuntimeError):
        strict.post(unsubscribe_url(mail))
    assert state(mail.customer_id)[MARKETING] == "granted"
    assert entries(mail.customer_id) == []
    assert fetch("SELECT count(*) FROM hit") == [(0,)]
