"""The attribution report and the dashboard."""

import csv
import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from redis import ConnectionError as RedisConnectionError
from redis import Redis

from campaigns.flows.models import Flow
from campaigns.reports import kept, overview
from loyalty.events.types import learn_facts
from loyalty.kit.sql import execute, sql
from tests.db.campaigns.attribution.conftest import NOW, Shop, ago, goal, settle, shop

__all__ = ["shop"]
pytestmark = pytest.mark.django_db
REPORT, INDEX = "/admin/attribution/report/", "/admin/"


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is."""
    monkeypatch.setattr(kept, "SLOW_SECONDS", 3600.0)


def queries_of(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def text_of(client: Client, url: str, **query: str) -> str:
    answer = client.get(url, query)
    assert answer.status_code == 200
    return str(answer.content.decode())


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """Three orders: one after two clicks, one after one, one without a touch."""
    goal(name={"en": "Order", "de": "Bestellung"})
    for name, steps in (("anna", ("welcome", "text")), ("bob", ("nudge",))):
        person = shop.person(name)
        for number, step in enumerate(steps):
            shop.click(person, step, ago(days=2, hours=-number))
        shop.buy(name, ago(days=1), 30)
    shop.buy("carl", ago(days=1), 5)
    settle()
    return shop


def test_without_a_goal_the_report_teaches(admin_client: Client) -> None:
    page = text_of(admin_client, REPORT)
    assert "No goal yet" in page
    assert "kind: goal" in page


def test_defaults_and_words(sold: Shop, admin_client: Client) -> None:
    page = text_of(admin_client, REPORT)
    assert "3 “purchase” events happened in this time, 3 are credited: difference 0." in page
    assert "They are worth 65.00; 65.00 is credited: difference 0." in page
    assert '<option value="last_touch" selected>' in page
    today = timezone.localdate()
    assert f'value="{today - timedelta(days=29)}"' in page
    assert f'value="{today}"' in page
    for label in ("Goal", "Model", "From", "To", "Window"):
        assert f">{label}</label>" in page, label


def test_charts_have_their_figures_as_tables_too(sold: Shop, admin_client: Client) -> None:
    page = text_of(admin_client, REPORT, model="linear")
    assert page.count("<canvas") == page.count('role="img"') == 2
    hidden = page.split('<div class="visually-hidden"><table>')[1].split("</table>")[0]
    assert '<th scope="row">winback / welcome (Email)</th><td>0.50</td>' in hidden
    assert '<th scope="row">winback / nudge (Email)</th><td>1</td>' in hidden


def test_the_models_stand_side_by_side(sold: Shop, admin_client: Client) -> None:
    page = text_of(admin_client, REPORT)
    table = page.split("The models side by side")[1].split('<div class="scroll">')[1].split("</table>")[0]
    row = table.split("winback / text (SMS)")[1].split("</tr>")[0]
    assert [cell.split("<")[0] for cell in row.split('<td class="n">')[1:]] == ["–", "1", "0.50"]


def test_figures_agree_whatever_the_model(sold: Shop, admin_client: Client) -> None:
    for model in ("first_touch", "last_touch", "linear"):
        answer = admin_client.get(REPORT, {"model": model})
        assert answer.context["report"].total.conversions == 3
        assert answer.context["touched"] == 2


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"goal": "nothing"}, "Select a valid choice"),
        ({"model": "magic"}, "Select a valid choice"),
        ({"from": "yesterday"}, "Enter a valid date"),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "This day lies before the first one."),
        ({"window": "soon"}, "Write a time such as"),
        ({"window": "999d"}, "Write a time such as"),
        ({"window": "1 month"}, "Write a time such as"),
    ],
)
def test_mistakes_stand_beside_their_field(
    sold: Shop, admin_client: Client, query: dict[str, str], message: str
) -> None:
    page = text_of(admin_client, REPORT, **query)
    assert message in page
    assert "Does it add up?" not in page


def test_another_window_is_worked_out(sold: Shop, admin_client: Client) -> None:
    answer = admin_client.get(REPORT, {"window": "1h"})
    assert answer.context["touched"] == 0
    assert "No message was touched within the window" in answer.content.decode()


def test_nothing_reached(sold: Shop, admin_client: Client) -> None:
    page = text_of(admin_client, REPORT, **{"from": "2001-01-01", "to": "2001-01-31"})
    assert "Nothing was reached in this time" in page


def test_report_asks_the_same_queries_for_3_and_30(sold: Shop, admin_client: Client) -> None:
    admin_client.get(REPORT)
    few = queries_of(admin_client, REPORT)
    for number in range(27):
        person = sold.person(f"more{number}")
        sold.click(person, "nudge", ago(days=2))
        sold.buy(f"more{number}", ago(days=1))
    settle()
    assert queries_of(admin_client, REPORT) == few


def test_csv_is_safe_to_open(sold: Shop, admin_client: Client) -> None:
    execute(sql("UPDATE dispatch SET step = {step}, flow_key = '@flow' WHERE step = 'nudge'", step='=HYPERLINK("x")'))
    answer = admin_client.get(REPORT, {"format": "csv", "model": "linear"})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="attribution-order-linear-')
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert ["message", "email", "", "'@flow", '\'=HYPERLINK("x")', "1.0000000000", "30.000000"] in [
        row[:7] for row in rows
    ]
    assert not any(field[:1] in ("=", "+", "-", "@") for row in rows for field in row)


def test_report_needs_its_permission(sold: Shop, client: Client) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    for url in (REPORT, f"{REPORT}?format=csv"):
        assert client.get(url).status_code == 403
    user.user_permissions.set(Permission.objects.filter(codename="view_conversion"))
    assert client.get(REPORT).status_code == 200


def test_dashboard_of_an_empty_house_says_what_to_do(admin_client: Client) -> None:
    page = text_of(admin_client, INDEX)
    for text in ("There is no sender yet", "There is no template yet", "There is no goal yet", "No flow is running"):
        assert text in page, text


def test_dashboard_shows_what_happens(sold: Shop, admin_client: Client) -> None:
    Flow.objects.create(
        key="winback", id=1, name={"en": "Win back"}, state="running", definition={}, created_at=NOW, updated_at=NOW
    )
    page = text_of(admin_client, INDEX)
    assert "<b>3</b><span>customers</span>" in page
    assert "<b>3</b><span>conversions in 7 days</span>" in page
    row = page.split("Win back")[1].split("</tr>")[0]
    cells = [cell.split("<")[0] for cell in row.split('<td class="n">')[1:]]
    assert cells == ["0", "3", "0", "2"]


def test_dashboard_asks_the_same_queries_for_3_and_30(sold: Shop, admin_client: Client) -> None:
    def flows(first: int, last: int) -> None:
        Flow.objects.bulk_create(
            Flow(key=f"f{n}", state="running", definition={}, created_at=NOW, updated_at=NOW)
            for n in range(first, last)
        )

    flows(0, 3)
    admin_client.get(INDEX)
    few = queries_of(admin_client, INDEX)
    flows(3, 30)
    assert queries_of(admin_client, INDEX) == few


def test_doubts_and_paused_senders_are_told(sold: Shop, admin_client: Client) -> None:
    execute("UPDATE message SET state = 5 WHERE dispatch_id = (SELECT id FROM dispatch WHERE step = 'welcome')")
    execute("UPDATE message SET state = 0, due_at = now() - interval '1 hour' WHERE state = 3")
    execute("UPDATE sender SET state = 'paused' WHERE key = 'sender-nudge'")
    page = text_of(admin_client, INDEX)
    assert "1 messages are in doubt" not in page
    assert "1 message is in doubt" in page
    assert "state__exact=5" in page
    assert "Sender sender-nudge is paused; messages of winback / nudge have waited for" in page
    assert "sender sender-text does not take them" in page


def test_dashboard_shows_each_role_only_its_own(sold: Shop, client: Client) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    page = text_of(client, INDEX)
    assert "Your role opens no figures here" in page
    assert "<canvas" not in page
    user.user_permissions.set(Permission.objects.filter(codename="view_customer"))
    page = text_of(client, INDEX)
    assert "reachable by email" in page
    assert "in doubt" not in page


def test_people_of_a_large_house_are_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    learn_facts(now=NOW)
    execute(
        """INSERT INTO customer (external_id, email, attributes, created_at, updated_at)
        SELECT 'c' || n, 'c' || n || '@example.com', '{}', now(), now() FROM generate_series(1, 3000) n"""
    )
    execute(
        """INSERT INTO consent_state (customer_id, channel, purpose, status, since)
        SELECT id, 'email', 'marketing', 'granted', now() FROM customer WHERE mod(id, 2) = 0"""
    )
    exact = overview.people()
    assert (exact.customers, exact.reachable, exact.about) == (3000, 1500, False)
    execute("ANALYZE customer")
    monkeypatch.setattr(overview, "EXACT", 1000)
    about = overview.people()
    assert about.about
    assert about.customers == 3000
    assert 1400 < about.reachable < 1600


def test_what_took_long_is_kept_and_says_since_when(
    sold: Shop, admin_client: Client, valkey: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "SLOW_SECONDS", 0.0)
    assert "Counted at" not in text_of(admin_client, REPORT)
    sold.buy("dora", ago(days=1), 5)
    settle()
    page = text_of(admin_client, REPORT)
    assert "Counted at" in page
    assert "3 “purchase” events" in page
    execute("UPDATE goal SET updated_at = now() + interval '1 second'")
    assert "4 “purchase” events" in text_of(admin_client, REPORT)


def test_without_the_cache_everything_is_worked_out(
    sold: Shop, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_arguments: object) -> None:
        raise RedisConnectionError("nobody answers")

    monkeypatch.setattr(kept, "SLOW_SECONDS", 0.0)
    monkeypatch.setattr(kept.cache, "get", down)
    monkeypatch.setattr(kept.cache, "set", down)
    assert "3 “purchase” events" in text_of(admin_client, REPORT)
    assert "conversions in 7 days" in text_of(admin_client, INDEX)
