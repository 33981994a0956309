"""Coming in: joining by double opt-in, signing in by link and code, and what nobody learns on the way."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client

from campaigns.channels.providers import email_recording
from loyalty.consent.models import ConsentEntry, ConsentState, OptInRequest
from loyalty.customers.erasing import erase_customers
from loyalty.customers.models import Customer
from loyalty.kit import clock
from loyalty.kit.checks import invariants, verdict
from loyalty.portal import entrance, letters, tasks
from loyalty.portal.models import EntryRequest, Session
from loyalty.program.models import Member
from tests.db.loyalty.portal.house import code_in, copy_of_event, joined, link_in, mailed, opened

pytestmark = pytest.mark.django_db
CODE = "/member/code"


@pytest.fixture(autouse=True)
def club() -> Any:
    cache.clear()
    yield opened()
    email_recording.forget()


def violations() -> list[str]:
    return [one.key for one in invariants() if one.key.startswith("portal.") and not verdict(one).holds]


def test_joining_is_confirmed_by_the_mailed_link(client: Client) -> None:
    form = {"email": "Anna@Example.com", "first_name": "Anna", "terms": "1", "offers": "1"}
    assert client.post("/member/join", form, headers={"user-agent": "Phone"}).headers["Location"] == CODE
    assert Member.objects.count() == 0
    (mail,) = mailed()
    assert mail.to == "Anna@example.com"
    assert mail.subject == "Please confirm: Coffee Club"
    assert "Offers by email, please." in mail.text
    assert "Anna" not in mail.text.replace("Anna@", "")  # what a stranger typed is not mailed to anybody
    link = link_in(mail.text)
    shown = client.get(link)
    assert (shown.status_code, Member.objects.count()) == (200, 0)
    assert shown.headers["Cache-Control"] == "no-store"
    inside = Client().post(link, follow=True, headers={"user-agent": "Phone"})
    assert "Welcome to Coffee Club!" in inside.content.decode()
    anna = Customer.objects.get()
    assert (anna.first_name, anna.locale) == ("Anna", "en")
    assert Member.objects.get().customer_id == anna.pk
    request, entry = OptInRequest.objects.get(), ConsentEntry.objects.get()
    assert request.confirmed_at is not None
    assert request.text == "I join Coffee Club and agree to its rules (version 2026-03). Offers by email, please."
    assert (entry.channel, entry.purpose, entry.status, entry.source) == ("email", "marketing", "granted", "portal")
    assert entry.evidence["double_opt_in"] == str(request.id)
    assert Client().get(link).status_code == 410
    assert violations() == []


def test_without_offers_nothing_is_granted(client: Client) -> None:
    request = joined(client)
    assert (request.state, request.address, request.details) == ("used", None, None)
    assert Member.objects.count() == 1
    assert ConsentState.objects.count() == 0


def test_a_form_tells_every_mistake_and_writes_nothing(client: Client) -> None:
    answer = client.post("/member/join", {"email": "anna", "birth_date": "2099-01-01"})
    text = answer.content.decode()
    assert answer.status_code == 422
    assert text.count('class="fault"') == 3 - ("birth_date-wrong" not in text)
    assert "Please write an email address" in text
    assert "Please agree to the terms" in text
    assert EntryRequest.objects.count() == 0


def test_a_code_lets_in_once_and_only_where_it_was_asked_for(client: Client) -> None:
    joined(client)
    client.post("/member/sign-out")
    here, elsewhere = Client(), Client()
    for browser in (here, elsewhere):
        browser.post("/member/sign-in", {"email": "anna@example.com"})
    letters.mail(now=clock.now())
    first, second = (copy_of_event(one.message_id)["code"] for one in EntryRequest.objects.filter(state="mailed"))
    mine = first if here.post(CODE, {"code": first}).status_code == 302 else second
    assert here.post(CODE, {"code": mine}).status_code == 302  # its ticket is gone: back to the form
    assert elsewhere.post(CODE, {"code": mine}).status_code == 422
    assert here.get("/member/more").status_code == 200
    assert elsewhere.get("/member/more").status_code == 302
    assert violations() == []


def test_the_sixth_code_is_not_looked_at(client: Client) -> None:
    joined(client)
    thief = Client()
    thief.post("/member/sign-in", {"email": "anna@example.com"})
    letters.mail(now=clock.now())
    code = copy_of_event(EntryRequest.objects.get(state="mailed").message_id)["code"]
    wrong = "00000000" if not code.startswith("0000") else "11111111"
    assert [thief.post(CODE, {"code": wrong}).status_code for _ in range(5)] == [422] * 5
    assert thief.post(CODE, {"code": code}).status_code == 422


def test_nobody_learns_who_is_known(client: Client) -> None:
    joined(client)
    Session.objects.all().delete()
    sent = len(mailed())
    answers = {}
    for address in ("anna@example.com", "nobody@example.com"):
        browser = Client()
        asked = browser.post("/member/sign-in", {"email": address})
        seen = browser.get(asked.headers["Location"]).content.decode()
        answers[address] = (asked.status_code, asked.headers["Location"], seen.split("csrfmiddlewaretoken")[0])
    assert answers["anna@example.com"] == answers["nobody@example.com"]
    assert len(mailed()) == sent + 1
    states = sorted(EntryRequest.objects.filter(kind="sign_in").values_list("state", "address"))
    assert states == [("mailed", None), ("nobody", None)]


def test_a_link_ends_after_a_quarter_of_an_hour(client: Client) -> None:
    joined(client)
    client.post("/member/sign-out")
    client.post("/member/sign-in", {"email": "anna@example.com"})
    mail = mailed()[-1]
    assert mail.subject == f"{code_in(mail.text)} is your code to sign in"
    with time_machine.travel(clock.now() + timedelta(minutes=15, seconds=1), tick=False):
        assert client.get(link_in(mail.text)).status_code == 410
        assert client.post(CODE, {"code": code_in(mail.text)}).status_code == 422
    assert client.get(link_in(mail.text)[:-2] + "AA").status_code == 410


def test_an_address_gets_five_mails_an_hour(client: Client) -> None:
    joined(client)
    client.post("/member/sign-out")
    answers = [client.post("/member/sign-in", {"email": "anna@example.com"}).status_code for _ in range(7)]
    assert answers == [302] * 7
    assert EntryRequest.objects.count() == entrance.MOST_AN_HOUR


def test_one_place_cannot_fill_in_forms_without_end() -> None:
    answers = [Client().post("/member/sign-in", {"email": f"p{n}@example.com"}).status_code for n in range(31)]
    assert answers == [302] * 30 + [429]


def test_sign_in_is_refused_without_the_token_of_the_form() -> None:
    assert Client(enforce_csrf_checks=True).post("/member/sign-in", {"email": "a@example.com"}).status_code == 403


def test_forgetting_and_erasing_leave_nothing(client: Client) -> None:
    joined(client)
    assert Session.objects.count() == 1
    erase_customers(customer_ids=[Customer.objects.get().pk])
    assert (Session.objects.count(), EntryRequest.objects.count()) == (0, 0)
    assert client.get("/member/more").status_code == 302
    client.post("/member/sign-in", {"email": "b@example.com"})
    assert tasks.forget(now=clock.now() + timedelta(days=1)) == 0
    assert tasks.forget(now=clock.now() + timedelta(days=1, minutes=16)) == 1


def test_without_a_sender_the_request_ends_and_the_chore_goes_on(client: Client) -> None:
    from campaigns.channels.models import Sender

    Sender.objects.all().delete()
    client.post("/member/join", {"email": "anna@example.com", "terms": "1"})
    assert letters.mail(now=clock.now()) == 1
    assert EntryRequest.objects.get().state == "refused"
    assert letters.mail(now=clock.now()) == 0
