"""Insights: when they are computed, who is told, how they are set, shown, forgotten and handed over."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from loyalty.customers.erasing import erase_customers
from loyalty.events import operations as events
from loyalty.insights import queries, tasks
from loyalty.insights.documents import InsightKind
from loyalty.insights.features.rfm import GRID, SEGMENTS, segment_of
from loyalty.insights.models import CustomerInsight, FeatureState
from loyalty.insights.operations import compute, compute_due, keep_apart, set_parameters
from loyalty.kit.problems import Problems
from loyalty.kit.sql import execute, fetch

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def buy(customer: str, *, days: float, amount: Any = 10, name: str = "purchase", value: str = "amount") -> None:
    event = {"customer": customer, "name": name, "occurred_at": (NOW - days * DAY).isoformat()}
    events.intake(events=[event | {"properties": {value: amount}}], now=NOW)


def shop() -> None:
    """Five buyers: c0 bought latest, most often and for most; c4 is the other end."""
    for number in range(5):
        for _ in range(5 - number):
            buy(f"c{number}", days=1 + 20 * number)


def ids() -> dict[str, int]:
    return dict(fetch("SELECT external_id, id FROM customer"))


@pytest.mark.django_db
def test_five_buyers_in_five_fifths() -> None:
    shop()
    done = compute(feature="rfm", now=NOW)
    assert done is not None
    assert (done.people, done.changed) == (5, 5)
    found = {row.customer_id: (row.label, [int(one) for one in row.numbers]) for row in CustomerInsight.objects.all()}
    who = ids()
    assert found[who["c0"]] == ("champions", [5, 5, 5, 5, 50])
    assert found[who["c2"]] == ("need_attention", [3, 3, 3, 3, 30])
    assert found[who["c4"]] == ("lost", [1, 1, 1, 1, 10])


@pytest.mark.django_db
def test_once_a_day_and_at_once_after_new_parameters() -> None:
    shop()
    assert tasks.compute(now=NOW) == 5
    assert tasks.compute(now=NOW) == 0
    buy("c4", days=0)
    assert tasks.compute(now=NOW + DAY - timedelta(seconds=1)) == 0
    assert tasks.compute(now=NOW + DAY) > 0
    set_parameters(feature="rfm", parameters={"within": "1d"}, now=NOW + DAY)
    # Nobody bought within that day: all values go, and it looks again soon.
    assert tasks.compute(now=NOW + DAY) == 5
    assert CustomerInsight.objects.count() == 0
    assert FeatureState.objects.get().due_at == NOW + DAY + timedelta(minutes=1)


@pytest.mark.django_db
def test_only_those_who_changed_are_told() -> None:
    shop()
    compute(feature="rfm", now=NOW)
    execute("DELETE FROM customer_change")
    buy("c0", days=0.5, amount=5)
    compute(feature="rfm", now=NOW)
    assert [row[0] for row in fetch("SELECT customer_id FROM customer_change")] == [ids()["c0"]]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "where", "problem"),
    [
        ({"valeu": "x"}, "valeu", "unknown field 'valeu'"),
        ({"within": "soon"}, "within", "'soon' is not a period"),
        ({"event": "two words"}, "event", "is no event name"),
        ({"ties": "never"}, "ties", "Input should be 'together' or 'rank'"),
    ],
)
def test_wrong_parameters_are_refused_with_their_place(given: dict[str, Any], where: str, problem: str) -> None:
    with pytest.raises(Problems) as refused:
        set_parameters(feature="rfm", parameters=given, now=NOW)
    assert [one.where for one in refused.value.problems] == [where]
    assert refused.value.problems[0].problem.startswith(problem)


@pytest.mark.django_db
def test_the_document_round_trips() -> None:
    kind = InsightKind()
    document = {"kind": "insight", "key": "rfm", "event": "order", "value": "total", "within": "730d"}
    change = kind.apply(document, now=NOW, declared={})
    assert change.verdict == "created"
    exported = list(kind.export())
    assert exported == [document | {"ties": "together"}]
    assert kind.apply(exported[0], now=NOW, declared={}).verdict == "unchanged"
    for number in range(5):
        buy(f"c{number}", days=number, name="order", value="total")
    assert compute_due(now=NOW) == 5
    with pytest.raises(Problems, match="unknown feature 'rmf'"):
        kind.apply({"kind": "insight", "key": "rmf"}, now=NOW, declared={})


def test_every_cell_has_a_name_and_every_name_a_cell() -> None:
    names = [segment_of(recency, frequency) for recency in range(1, 6) for frequency in range(1, 6)]
    assert set(names) == set(SEGMENTS)
    assert sorted(GRID) == [1, 2, 3, 4, 5]


@pytest.mark.django_db
def test_grid_and_people_behind_it() -> None:
    shop()
    compute(feature="rfm", now=NOW)
    cells = {(cell.recency, cell.frequency): (cell.people, int(cell.revenue)) for cell in queries.grid()}
    assert len(cells) == 25
    assert {place: found for place, found in cells.items() if found[0]} == {
        (5, 5): (1, 50),
        (4, 4): (1, 40),
        (3, 3): (1, 30),
        (2, 2): (1, 20),
        (1, 1): (1, 10),
    }
    assert [one.external_id for one in queries.buyers(cell=(5, 5))] == ["c0"]
    assert [one.external_id for one in queries.buyers(segment="lost")] == ["c4"]
    assert queries.buyers(segment="lost", after=ids()["c4"]) == []


@pytest.mark.django_db
def test_erased_people_leave_nothing() -> None:
    shop()
    compute(feature="rfm", now=NOW)
    erase_customers(customer_ids=[ids()["c0"]])
    assert CustomerInsight.objects.count() == 4
    assert fetch("SELECT count(*) FROM customer_insight i WHERE NOT EXISTS (SELECT FROM customer c"
                 " WHERE c.id = i.customer_id)") == [(0,)]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_computation_and_an_erasure_wait_for_each_other() -> None:
    shop()
    started, ended = threading.Event(), threading.Event()

    def erasing() -> None:
        from django.db import transaction

        try:
            with transaction.atomic():
                keep_apart()
                started.set()
                execute("SELECT pg_sleep(0.3)")
                ended.set()
        finally:
            connection.close()

    thread = threading.Thread(target=erasing)
    thread.start()
    assert started.wait(10)
    compute(feature="rfm", now=NOW)
    assert ended.is_set()
    thread.join(10)


@pytest.mark.django_db
def test_the_page(client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    address = reverse("admin:insights_rfm")
    assert "Nothing was computed yet" in client.get(address).content.decode()
    shop()
    answer = client.post(reverse("admin:insights_rfm_compute"), follow=True)
    assert "Computed for 5 buyers; 5 of them have new values." in answer.content.decode()
    page = client.get(address, {"cell": "5-5"}).content.decode()
    assert "People of recency 5 and frequency 5" in page
    assert reverse("admin:customers_customer_change", args=[ids()["c0"]]) in page
    assert "rfm_r5_f5" in page
    assert client.get(reverse("admin:insights_rfm_compute")).status_code == 405
    wrong = client.post(address, {"event": "purchase", "value": "amount", "within": "soon", "ties": "rank"})
    assert "is not a period" in wrong.content.decode()
    client.post(address, {"event": "order", "value": "total", "within": "", "ties": "rank"})
    assert FeatureState.objects.get().parameters["event"] == "order"
    person = client.get(reverse("admin:customers_customer_change", args=[ids()["c0"]])).content.decode()
    assert "Among all buyers" in person
    assert "Champions" in person


@pytest.mark.django_db
def test_the_page_needs_its_permissions(client: Client) -> None:
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    assert client.get(reverse("admin:insights_rfm")).status_code == 403
    assert client.post(reverse("admin:insights_rfm_compute")).status_code == 403
