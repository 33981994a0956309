"""Messages in the admin: list, passport, preview, and what a person decides about a doubt."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from campaigns.delivery import words
from campaigns.delivery.admin import MessagePaginator
from campaigns.delivery.models import Message, State
from loyalty.kit.sql import execute, sql
from tests.db.campaigns.delivery.world import World, verdicts, violations

LIST = "/admin/delivery/message/"
NAMED = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>Hi {{ customer.first_name | default('you') }}"
    ' <a href="{{ unsubscribe_url }}">x</a></mj-text></mj-column></mj-section></mj-body></mjml>'
)


@pytest.fixture
def staff(client: Client) -> Callable[..., Client]:
    """A client logged in as somebody on the staff with these permissions ("view_message")."""

    def logged_in(*permissions: str) -> Client:
        user = User.objects.create_user("clerk", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return logged_in


def queries_of(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def in_doubt(world: World) -> int:
    """One message whose hand-over ended unknown."""
    (message_id,) = world.plan(world.dispatch(), world.customers(1))
    assert world.send() == 1
    execute(sql("UPDATE message SET state = 5 WHERE id = {id}", id=message_id))
    execute(
        sql(
            "UPDATE message_attempt SET outcome = 'in_doubt', detail = 'connection lost' WHERE message_id = {id}",
            id=message_id,
        )
    )
    execute(sql("DELETE FROM event WHERE ref = {id}", id=message_id))
    return message_id


def test_list_asks_the_same_queries_for_3_and_30(world: World, admin_client: Client) -> None:
    dispatch = world.dispatch()
    world.plan(dispatch, world.customers(3))
    admin_client.get(LIST)
    few = queries_of(admin_client, LIST)
    world.plan(dispatch, world.customers(27, prefix="more"))
    assert queries_of(admin_client, LIST) == few
    assert admin_client.get(LIST).content.count(b"winback / hello") == 30


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state__exact=6", 1),
        ("state__exact=0", 2),
        ("reason=2", 1),
        ("reason=1", 0),
        ("channel=1", 3),
        ("channel=2", 0),
        ("flow=winback", 3),
        ("flow=unknown", 0),
    ],
)
def test_filters(world: World, admin_client: Client, query: str, found: int) -> None:
    dispatch = world.dispatch()
    world.plan(dispatch, world.customers(2))
    world.plan(dispatch, world.customers(1, prefix="no", consent=None))
    assert admin_client.get(f"{LIST}?{query}").context["cl"].result_count == found


def test_search_finds_an_id_a_person_and_beginnings(world: World, admin_client: Client) -> None:
    dispatch = world.dispatch()
    wanted, other = world.customers(1, prefix="anna"), world.customers(1, prefix="bob")
    (message_id,) = world.plan(dispatch, wanted)
    world.plan(dispatch, other)
    for term in (str(message_id), f"anna{wanted[0]}", "ann", f"ANNA{wanted[0]}@example.com"):
        found = admin_client.get(LIST, {"q": term}).context["cl"].result_list
        assert [message.pk for message in found] == [message_id], term
    for term in ("nobody", "9" * 30, "0", "%"):
        assert admin_client.get(LIST, {"q": term}).context["cl"].result_count == 0, term


def test_large_filtered_lists_are_estimated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.plan(world.dispatch(), world.customers(30))
    execute("ANALYZE message")
    monkeypatch.setattr(MessagePaginator, "EXACT", 10)
    paginator = MessagePaginator(Message.objects.filter(state=State.PLANNED).order_by("-id"), 5)
    with CaptureQueriesContext(connection) as captured:
        assert paginator.count == 30
    assert len(captured) == 2
    monkeypatch.setattr(MessagePaginator, "MOST_PAGES", 2)
    assert MessagePaginator(Message.objects.filter(state=State.PLANNED).order_by("-id"), 5).num_pages == 2


def test_passport_of_a_refused_message(world: World, admin_client: Client) -> None:
    (message_id,) = world.plan(world.dispatch(), world.customers(1, consent="withdrawn"))
    page = admin_client.get(f"{LIST}{message_id}/change/").content.decode()
    for text in ("no_consent", "The person has not consented", "withdrawn", "Not asked: an earlier gate had decided."):
        assert text in page, text
    assert "Send again" not in page


def test_passport_asks_the_same_queries_however_often_it_was_tried(world: World, admin_client: Client) -> None:
    (message_id,) = world.plan(world.dispatch(), world.customers(1))
    assert world.send() == 1
    url = f"{LIST}{message_id}/change/"
    admin_client.get(url)
    few = queries_of(admin_client, url)
    execute(
        sql(
            "INSERT INTO message_attempt (message_id, attempt, owner, started_at, outcome, detail)"
            " SELECT {id}, n, 1, {now}, 'retry', 'busy' FROM generate_series(2, 30) n",
            id=message_id,
            now=world.now,
        )
    )
    assert queries_of(admin_client, url) == few


def test_unknown_message_leads_back(world: World, admin_client: Client) -> None:
    assert admin_client.get(f"{LIST}1/change/").status_code == 302
    assert admin_client.get(f"{LIST}{2**70}/preview/html/").status_code == 404


def test_preview_is_sealed(world: World, admin_client: Client) -> None:
    version = world.template(body=NAMED)
    people = world.customers(1, first_name="<script>alert(1)</script>")
    (message_id,) = world.plan(world.dispatch(template_version_id=version), people)
    answer = admin_client.get(f"{LIST}{message_id}/preview/html/")
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert policy.endswith("sandbox")
    assert "script-src" not in policy
    assert "<script>alert" not in answer.content.decode()
    assert "&lt;script&gt;" in answer.content.decode()
    text = admin_client.get(f"{LIST}{message_id}/preview/text/")
    assert text["Content-Security-Policy"] == policy
    assert "<script>alert" not in text.content.decode()
    page = admin_client.get(f"{LIST}{message_id}/change/").content.decode()
    assert page.count("<iframe") == page.count('<iframe class="mail" sandbox referrerpolicy="no-referrer"') == 2


def test_preview_of_an_erased_person_says_so(world: World, admin_client: Client) -> None:
    people = world.customers(1)
    (message_id,) = world.plan(world.dispatch(), people)
    execute(sql("DELETE FROM customer WHERE id = {id}", id=people[0]))
    answer = admin_client.get(f"{LIST}{message_id}/preview/html/")
    assert answer.status_code == 200
    assert b"erased" in answer.content
    assert admin_client.get(f"{LIST}{message_id}/change/").status_code == 200


@pytest.mark.parametrize(
    ("act", "state", "code"),
    [
        ("mark_sent", State.SENT, "sent"),
        ("give_up", State.FAILED, "give_up"),
        ("send_again", State.PLANNED, "send_again"),
    ],
)
def test_a_person_decides_a_doubt(world: World, admin_client: Client, act: str, state: State, code: str) -> None:
    message_id = in_doubt(world)
    url = f"{LIST}{message_id}/act/{act}/"
    assert "Nobody knows whether" in admin_client.get(f"{LIST}{message_id}/change/").content.decode()
    assert admin_client.get(url).status_code == 200
    assert Message.objects.get(pk=message_id).state == State.IN_DOUBT, "a GET only asks"
    assert admin_client.post(url, {"note": "seen in the log"}).status_code == 302
    assert Message.objects.get(pk=message_id).state == state
    assert verdicts(message_id) == [("resolution", code, {"by": "admin", "note": "seen in the log"})]
    page = admin_client.get(f"{LIST}{message_id}/change/").content.decode()
    assert "seen in the log" in page
    assert f"/act/{act}/" not in page
    assert violations() == {}


def test_sending_again_warns_of_two_mails(world: World, admin_client: Client) -> None:
    page = admin_client.get(f"{LIST}{in_doubt(world)}/act/send_again/").content.decode()
    assert "gets it twice" in page


def test_only_a_doubt_can_be_decided(world: World, admin_client: Client) -> None:
    (message_id,) = world.plan(world.dispatch(), world.customers(1))
    admin_client.post(f"{LIST}{message_id}/act/mark_sent/", {"note": ""})
    assert Message.objects.get(pk=message_id).state == State.PLANNED


def test_permissions(world: World, staff: Callable[..., Client]) -> None:
    message_id = in_doubt(world)
    client = staff()
    for url in (LIST, f"{LIST}{message_id}/change/", f"{LIST}{message_id}/preview/html/"):
        assert client.get(url).status_code == 403, url
    assert client.post(f"{LIST}{message_id}/act/mark_sent/", {"note": ""}).status_code == 403
    assert Message.objects.get(pk=message_id).state == State.IN_DOUBT


def test_who_may_not_see_customers_sees_no_message_text(world: World, staff: Callable[..., Client]) -> None:
    message_id = in_doubt(world)
    client = staff("view_message")
    assert client.get(LIST).status_code == 200
    page = client.get(f"{LIST}{message_id}/change/").content.decode()
    assert "<iframe" not in page
    assert "/act/" not in page
    assert client.get(f"{LIST}{message_id}/preview/text/").status_code == 403


def test_the_customer_page_lists_messages(world: World, admin_client: Client) -> None:
    people = world.customers(1)
    (message_id,) = world.plan(world.dispatch(), people)
    page = admin_client.get(f"/admin/customers/customer/{people[0]}/change/").content.decode()
    assert f"/admin/delivery/message/{message_id}/change/" in page


def test_sender_page_counts_today(world: World, admin_client: Client) -> None:
    dispatch = world.dispatch()
    world.plan(dispatch, world.customers(2))
    assert world.send() == 2
    execute("UPDATE message_attempt SET started_at = now()")
    page = admin_client.get(f"/admin/channels/sender/{dispatch.sender_id}/change/").content.decode()
    assert "<dt>accepted</dt><dd>2</dd>" in page


def test_every_code_and_gate_has_words() -> None:
    from campaigns.delivery import guard
    from campaigns.delivery.reasons import CODES

    with translation.override("en"):
        assert set(CODES) <= set(words.REASONS)
        assert {key for key, _guard in guard.in_order()} <= set(words.GATES)
        assert words.facts(
            {"since": "2026-03-01T10:00:00+00:00", "channel": "email", "status": "withdrawn", "x_y": 1}
        ) == [
            ("since", "1 Mar 2026, 11:00"),
            ("consent", "withdrawn"),
            ("x y", "1"),
        ]
