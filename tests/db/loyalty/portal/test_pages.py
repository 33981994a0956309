"""What members see and do: balance, history, consents, their data, leaving."""

import io
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from campaigns.channels.providers import email_recording
from loyalty.consent.models import ConsentEntry, ConsentState
from loyalty.consent.topics import read, save
from loyalty.customers.models import Customer
from loyalty.kit import clock
from loyalty.kit.applying import apply_documents
from loyalty.kit.problems import Problems
from loyalty.portal import queries
from loyalty.portal.models import Session
from loyalty.program import movements, purchases, tiering
from loyalty.program.models import Member
from loyalty.program.setup import Setup
from loyalty.rights.models import RightsRequest
from tests.db.loyalty.portal.house import PORTAL, joined, opened

pytestmark = pytest.mark.django_db


@pytest.fixture
def club() -> Any:
    cache.clear()
    yield opened()
    email_recording.forget()


@pytest.fixture
def anna(club: Setup, client: Client) -> Customer:
    """A member who is signed in."""
    joined(client, first_name="Anna", offers="1")
    return Customer.objects.get()


def buy(setup: Setup, identifier: str, amount: int) -> None:
    done = purchases.commit(
        rows=[{"id": identifier, "customer": {"email": "anna@example.com"}, "amount": amount}],
        setup=setup,
        now=clock.now(),
    )
    assert done.rejected == []


def text_of(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_first_page_says_what_there_is(client: Client, club: Setup, anna: Customer) -> None:
    empty = text_of(client, "/member/")
    assert '<span class="big">0</span>' in empty
    assert "Nothing yet." in empty
    buy(club, "r1", 1240)
    tiering.retier_all(club, now=clock.now())
    movements.spend(
        setup=club, member_id=Member.objects.get().pk, wallet=None, points=200, now=clock.now(), reason="A mug"
    )
    page = text_of(client, "/member/")
    assert '<span class="big">1,040</span>' in page
    assert "worth 10.40 EUR" in page
    assert '<p class="tier">Gold</p>' in page
    assert "Free delivery" in page
    assert "+1,240" in page
    assert "−200" in page
    assert "A mug" in page


def test_history_goes_page_by_page(client: Client, club: Setup, anna: Customer) -> None:
    for n in range(queries.PAGE + 3):
        buy(club, f"r{n}", 10 + n)
    member = Member.objects.get().pk
    first, cursor = queries.movements(member)
    assert [one.points for one in first] == [10 + n for n in range(queries.PAGE + 2, 2, -1)]
    rest, end = queries.movements(member, before=cursor)
    assert ([one.points for one in rest], end) == ([12, 11, 10], None)
    page = text_of(client, f"/member/points?before={cursor}")
    assert page.count('<li><span class="what">') == 3
    assert client.get("/member/points?before=x").status_code == 404


def test_consents_change_with_their_evidence(client: Client, anna: Customer) -> None:
    save(read({"kind": "topic", "key": "coffee", "name": "Coffee"}), now=clock.now())
    assert "Offers by email, please." in text_of(client, "/member/messages")
    client.post("/member/messages", {"email.tracking": "on", "shown": "coffee"}, headers={"user-agent": "Phone"})
    held = {(one.channel, one.purpose): one.status for one in ConsentState.objects.all()}
    assert held == {("email", "marketing"): "withdrawn", ("email", "tracking"): "granted"}
    entry = ConsentEntry.objects.get(purpose="tracking")
    assert (entry.source, entry.text_version) == ("portal", "2026-03")
    assert (entry.evidence["text"], entry.evidence["user_agent"]) == ("Measure what I open and click", "Phone")
    page = text_of(client, "/member/messages")
    assert "Offers and news ended" in page
    assert 'name="topic.coffee">' in page
    client.post("/member/messages", {"nothing": "1"})
    assert not ConsentState.objects.filter(status="granted").exists()


def test_details_are_put_right_with_their_history(client: Client, anna: Customer) -> None:
    wrong = client.post("/member/profile", {"first_name": "Anne", "phone": "12", "birth_date": "x"})
    assert wrong.status_code == 422
    assert "with the country code" in wrong.content.decode()
    anna.refresh_from_db()
    assert anna.first_name == "Anna"
    right = {"first_name": "Anne", "last_name": "", "phone": "+491701234567", "birth_date": "1990-02-03"}
    assert client.post("/member/profile", right).status_code == 302
    anna.refresh_from_db()
    assert (anna.first_name, anna.phone, str(anna.birth_date)) == ("Anne", "+491701234567", "1990-02-03")
    assert anna.email == "anna@example.com"


def test_data_are_shown_and_taken_along(client: Client, anna: Customer) -> None:
    page = text_of(client, "/member/data")
    assert page.count("<details>") == len(queries.held(anna.pk)) > 4
    assert "you need no password" in page
    assert client.get("/member/data/download").status_code == 405
    answer = client.post("/member/data/download")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="my-data.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        assert {"your-data.pdf", "data.json", "tables/member.csv"} <= set(file.namelist())
        assert "digest" not in file.read("tables/member_session.csv").decode()


def test_to_be_forgotten_is_asked_once(client: Client, anna: Customer) -> None:
    for _ in range(2):
        assert client.post("/member/data/erase").status_code == 302
    request = RightsRequest.objects.get()
    assert (request.kind, request.state, request.identity_checked_by) == ("erase", "open", "portal")
    assert "You asked to be forgotten." in text_of(client, "/member/data")


def test_leaving_takes_two_clicks_and_keeps_the_points(client: Client, club: Setup, anna: Customer) -> None:
    buy(club, "r1", 120)
    assert 'href="/member/leave"' in text_of(client, "/member/")
    asked = text_of(client, "/member/leave")
    assert "Your 120 beans stay yours" in asked
    assert Member.objects.get().state == "active"
    client.post("/member/leave", {"silence": "1"})
    assert Member.objects.get().state == "left"
    assert ConsentState.objects.get().status == "withdrawn"
    page = text_of(client, "/member/")
    assert "You have left the program" in page
    assert '<span class="big">120</span>' in page
    client.post("/member/join/now")
    assert Member.objects.get().state == "active"


def test_who_is_known_joins_with_one_click(client: Client, club: Setup, anna: Customer) -> None:
    Member.objects.all().delete()
    assert "We know you already" in text_of(client, "/member/")
    assert client.get("/member/points").status_code == 302
    client.post("/member/join/now")
    assert Member.objects.get().customer_id == anna.pk


def test_signing_out_everywhere(client: Client, anna: Customer) -> None:
    other = Client()
    other.cookies["member"] = client.cookies["member"].value
    client.post("/member/sign-out", {"everywhere": "1"})
    assert Session.objects.count() == 0
    assert other.get("/member/more").headers["Location"] == "/member/sign-in"


def test_a_session_ends_after_a_month_without_a_visit(client: Client, anna: Customer) -> None:
    Session.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    assert client.get("/member/more").status_code == 302


@pytest.mark.parametrize("path", ["", "rules", "accessibility", "join", "sign-in", "theme.css"])
def test_what_everybody_may_read(client: Client, club: Setup, path: str) -> None:
    answer = client.get(f"/member/{path}")
    assert answer.status_code == 200
    assert "script-src 'unsafe" not in answer.headers["Content-Security-Policy"]


def test_the_rules_are_those_of_the_program(client: Client, club: Setup) -> None:
    page = text_of(client, "/member/rules")
    assert "Every purchase" in page
    assert "Beans expire 36 months after the day you earned them, at the end of that year." in page
    assert "from 500 points: Free delivery" in page


def test_without_a_program_nobody_joins(client: Client) -> None:
    cache.clear()
    assert "no program to join yet" in text_of(client, "/member/")
    assert client.get("/member/join").status_code == 404


def test_the_portal_is_a_document(club: Setup) -> None:
    assert [one.verdict for one in apply_documents([PORTAL], now=clock.now())] == ["unchanged"]
    with pytest.raises(Problems) as told:
        apply_documents([{**PORTAL, "program": "clob"}], now=clock.now())
    assert "there is no program 'clob'" in str(told.value)
    with pytest.raises(Problems) as told:
        apply_documents([{**PORTAL, "accent": "red", "terms_url": "javascript:alert(1)"}], now=clock.now())
    assert {problem.where.rpartition(".")[2] for problem in told.value.problems} == {"accent", "terms_url"}


def test_questions_do_not_grow_with_the_history(
    client: Client, club: Setup, anna: Customer, django_assert_max_num_queries: Any
) -> None:
    for n in range(8):
        buy(club, f"r{n}", 10)
    with django_assert_max_num_queries(50):
        client.get("/member/")
