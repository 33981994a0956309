"""Double opt-in from the form to the proof: one mail, a button, everything on record."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from pypdf import PdfReader

from campaigns.channels.models import Sender
from campaigns.channels.providers import email_recording
from campaigns.content.models import Template
from campaigns.delivery import links, queries
from campaigns.delivery.mailing import ensure_template
from campaigns.delivery.single import FIRST_ORIGIN, body_hash, copy_of
from campaigns.tracking import optin
from loyalty.access.operations import create_api_key
from loyalty.consent.models import ConsentEntry, OptInRequest, TopicChoice
from loyalty.consent.operations import suppress
from loyalty.consent.topics import read, save
from loyalty.customers.erasing import erase_customers
from loyalty.customers.models import Customer
from loyalty.kit import clock
from loyalty.kit.checks import invariants, verdict
from tests.db.campaigns.delivery.world import World, fact_names, states, verdicts, violations
from tests.db.campaigns.tracking.conftest import facts, state

pytestmark = pytest.mark.django_db
TEXT = "Ja, ich möchte den Newsletter der Kaffeerösterei Blum bekommen."
ASKED = {
    "address": "anna@example.com",
    "purposes": ["marketing", "tracking"],
    "topics": ["coffee"],
    "source": "shop.example/newsletter",
    "form": "footer",
    "text_version": "2026-03",
    "text": TEXT,
    "ip": "203.0.113.7",
    "user_agent": "Mozilla/5.0 (X11)",
    "locale": "de",
}


@pytest.fixture
def world() -> Any:
    email_recording.forget()
    made = World(now=clock.now()).prepare()
    made.sender(settings={})
    save(read({"kind": "topic", "key": "coffee", "name": {"en": "Coffee", "de": "Kaffee"}}), now=made.now)
    yield made
    email_recording.forget()


@pytest.fixture
def call() -> Any:
    secret = create_api_key(name="shop", scopes=["customers:read", "customers:write"], now=clock.now()).secret

    def send(method: str, path: str, body: Any = None) -> Any:
        return Client(raise_request_exception=False).generic(
            method,
            f"/api/v1/{path}",
            json.dumps(body) if body is not None else "",
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"},
        )

    return send


def ask(call: Any, **changes: Any) -> Any:
    return call("POST", "consents/double-opt-in", {**ASKED, **changes})


def link(text: str) -> str:
    return "/d/" + text.split("/d/")[1].split()[0].rstrip(")>")


def test_from_the_form_to_the_proof(world: World, call: Any) -> None:
    answer = ask(call)
    assert (answer.status_code, answer.json()["state"], answer.json()["mailed"]) == (202, "pending", True)
    request = OptInRequest.objects.get()
    person = Customer.objects.get()
    assert (person.email, person.locale, request.customer_id) == ("anna@example.com", "de", person.pk)
    assert state(person.pk) == {}

    assert world.send(now=clock.now()) == 1
    assert verdicts(int(request.message_id or 0)) == []
    (mail,) = email_recording.recorded
    assert (mail.to, mail.subject) == ("anna@example.com", "Bitte bestätigen Sie Ihre Anmeldung")
    assert TEXT in mail.text
    assert mail.unsubscribe_url is None
    assert "/t/c/" not in mail.html + mail.text
    assert mail.id >> 25 >= FIRST_ORIGIN

    browser = Client(enforce_csrf_checks=True)
    url = link(mail.text)
    for _round in range(3):
        shown = browser.get(url)
        assert (shown.status_code, state(person.pk)) == (200, {})
    assert "Ja, ich stimme zu" in shown.content.decode() or "Yes, I agree" in shown.content.decode()
    done = browser.post(url, headers={"User-Agent": "Firefox"}, REMOTE_ADDR="198.51.100.4")
    assert done.status_code == 200
    assert state(person.pk) == {("email", "marketing"): "granted", ("email", "tracking"): "granted"}
    again = browser.post(url)
    assert (again.status_code, ConsentEntry.objects.count()) == (200, 2)
    assert [properties["purpose"] for _, _, properties in facts("consent.granted")] == ["marketing", "tracking"]

    proof = call("GET", f"consents/{request.id}/proof").json()
    assert proof["state"] == "confirmed"
    assert (proof["request"]["ip"], proof["request"]["text"], proof["request"]["form"]) == (
        "203.0.113.7",
        TEXT,
        "footer",
    )
    assert proof["mail"]["message_id"] == str(mail.id)
    assert proof["mail"]["sha256"] == body_hash(mail)
    assert proof["mail"]["sent_at"] is not None
    assert proof["confirmation"]["ip"] == "198.51.100.4"
    assert proof["confirmation"]["user_agent"] == "Firefox"
    assert [entry["purpose"] for entry in proof["entries"]] == ["marketing", "tracking"]
    entry = ConsentEntry.objects.order_by("id").first()
    assert entry is not None
    assert (entry.text_version, entry.source) == ("2026-03", "shop.example/newsletter")
    assert entry.evidence["double_opt_in"] == str(request.id)
    assert violations() == {}
    assert [one.key for one in invariants() if one.key.startswith("consent.") and not verdict(one).holds] == []


@pytest.mark.parametrize(("locale", "title"), [("en", "double opt-in"), ("de", "Anna")])
def test_the_proof_is_a_pdf_to_print(world: World, call: Any, locale: str, title: str) -> None:
    odd = TEXT + " <b>& 漢字 " + "lang " * 900
    request_id = ask(call, text=odd).json()["id"]
    world.send(now=clock.now())
    answer = call("GET", f"consents/{request_id}/proof?format=pdf&locale={locale}")
    assert answer["Content-Type"] == "application/pdf"
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
    assert "anna@example.com" in text
    assert "[U+6F22][U+5B57]" in text
    assert request_id in text


def test_the_same_form_again_brings_no_second_mail_and_the_sixth_of_a_day_is_refused(world: World, call: Any) -> None:
    first = ask(call).json()
    assert ask(call).json() | {"mailed": True} == first
    for number in range(4):
        assert ask(call, text_version=f"v{number}").status_code == 202
    refused = ask(call, text_version="v9")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_requests")
    assert OptInRequest.objects.count() == 5


def test_an_expired_link_says_what_to_do(world: World, call: Any) -> None:
    ask(call)
    request = OptInRequest.objects.get()
    url = f"/d/{links.confirm_token(request.id)}"
    with time_machine.travel(request.expires_at + timedelta(seconds=1), tick=False):
        for answer in (Client().get(url), Client().post(url)):
            assert answer.status_code == 410
    assert state(request.customer_id) == {}


def test_an_address_that_changed_meanwhile_is_not_confirmed(world: World, call: Any) -> None:
    ask(call)
    request = OptInRequest.objects.get()
    Customer.objects.update(email="other@example.com")
    answer = Client().post(f"/d/{links.confirm_token(request.id)}")
    assert (answer.status_code, state(request.customer_id)) == (410, {})


def test_who_was_erased_leaves_no_request_and_the_link_leads_nowhere(world: World, call: Any) -> None:
    ask(call)
    request = OptInRequest.objects.get()
    world.send(now=clock.now())
    erase_customers(customer_ids=[request.customer_id])
    assert OptInRequest.objects.count() == 0
    assert copy_of(int(request.message_id or 0)) is None
    assert Client().post(f"/d/{links.confirm_token(request.id)}").status_code == 404
    assert call("GET", f"consents/{request.id}/proof").status_code == 404


def test_what_is_wrong_is_told_at_once(world: World, call: Any) -> None:
    answer = ask(call, address="nobody", topics=["tea"])
    assert answer.status_code == 422
    assert [item["where"] for item in answer.json()["error"]["details"]] == ["topics[0]", "address"]
    answer = call("POST", "consents/double-opt-in", {"source": "x", "text": "", "channel": "sms"})
    assert {item["where"] for item in answer.json()["error"]["details"]} == {"text", "text_version", "channel"}
    assert call("GET", "consents/nonsense/proof").status_code == 404
    assert Client().get("/d/nonsense").status_code == 404


def test_a_customers_own_address_counts_and_no_other(world: World, call: Any) -> None:
    (customer_id,) = world.customers(1, consent=None)
    known = {"customer": f"c{customer_id}"}
    assert ask(call, **known).status_code == 422
    assert ask(call, **known, address=None).status_code == 202
    assert OptInRequest.objects.get().address == f"c{customer_id}@example.com"
    assert ask(call, customer="unknown").status_code == 422


def test_the_mail_goes_through_the_guards_and_has_a_passport(world: World, call: Any) -> None:
    (dead,) = world.customers(1, consent=None)
    suppress("email", addresses=[f"c{dead}@example.com"], reason="hard_bounce", now=world.now)
    ask(call, customer=f"c{dead}", address=None)
    message_id = int(OptInRequest.objects.get().message_id or 0)
    passport = queries.passport(message_id)
    assert passport is not None
    assert (passport["state"], passport["reason"], passport["step"]) == ("skipped", "suppressed", "double_opt_in")
    ask(call)
    world.send(now=clock.now())
    sent = OptInRequest.objects.exclude(customer_id=dead).get()
    assert fact_names(sent.customer_id) == ["message.sent"]
    assert states([int(sent.message_id or 0)]) == [3]


def test_there_is_no_reminder_unless_it_is_set_and_then_one(world: World, call: Any, settings: Any) -> None:
    ask(call)
    later = clock.now() + timedelta(days=3)
    assert optin.remind(now=later) == 0
    settings.DOUBLE_OPT_IN_REMINDER_DAYS = 2
    assert optin.remind(now=clock.now()) == 0
    assert (optin.remind(now=later), optin.remind(now=later)) == (1, 0)
    request = OptInRequest.objects.get()
    assert request.reminder_id not in (None, request.message_id)


def test_the_built_in_template_may_be_edited(world: World, call: Any) -> None:
    ensure_template(optin.MAIL, now=world.now)
    first = Template.objects.get(key="double_opt_in").current_version_id
    ensure_template(optin.MAIL, now=world.now)
    assert Template.objects.get(key="double_opt_in").current_version_id == first
    body = '<p>{{ event.text }}</p><p><a href="{{ confirm_url }}">OK</a></p>'
    world.template("double_opt_in", subject="Mine", body=body, purpose="transactional")
    ask(call)
    world.send(now=clock.now())
    assert [mail.subject for mail in email_recording.recorded] == ["Mine"]


def test_a_second_email_sender_leaves_no_doubt_which_one_asks(world: World, call: Any) -> None:
    first = Sender.objects.get(channel="email")
    Sender.objects.create(key="other", channel="email", provider=first.provider, settings=first.settings)
    ask(call)
    world.send(now=clock.now())
    assert len(email_recording.recorded) == 1
    assert Template.objects.get(key="double_opt_in").sender_key == first.key


def test_a_topic_that_was_off_is_on_again_with_the_confirmation(world: World, call: Any) -> None:
    (customer_id,) = world.customers(1, consent=None)
    TopicChoice.objects.create(customer_id=customer_id, topic="coffee", wanted=False, since=world.now)
    ask(call, customer=f"c{customer_id}", address=None)
    Client().post(f"/d/{links.confirm_token(OptInRequest.objects.get().id)}")
    assert TopicChoice.objects.get(customer_id=customer_id).wanted is True
