"""Two workers at the same work, on real transactions."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from campaigns.attribution import operations, tasks
from loyalty.kit.sql import execute, fetch
from tests.db.campaigns.attribution.conftest import NOW, Shop, ago, credits, everything, goal, settle

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(work: Callable[[], object], times: int = 2) -> None:
    barrier = threading.Barrier(times)

    def run() -> None:
        try:
            barrier.wait(5)
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(times) as pool:
        for done in [pool.submit(run) for _ in range(times)]:
            done.result()


def test_workers_that_convert_and_credit_at_once_count_everything_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "BATCH", 7)
    goal()
    settle()
    for number in range(40):
        name = f"p{number}"
        person = shop.person(name)
        shop.click(person, "welcome", ago(days=1))
        shop.buy(name, ago(hours=1))
        shop.click(person, "text", ago(hours=2))

    def work() -> None:
        while tasks.convert(now=NOW) + tasks.credit(now=NOW):
            pass

    at_once(work, 3)
    settle()
    assert fetch("SELECT count(*), count(DISTINCT event_id) FROM conversion") == [(40, 40)]
    assert len(credits("linear")) == 80
    assert len(credits("last_touch")) == 40


def test_a_search_and_the_queue_find_one_event_once(shop: Shop) -> None:
    goal()
    operations.subscribe()
    shop.person("anna")
    for number in range(50):
        shop.buy("anna", ago(hours=number))

    def work() -> None:
        operations.search(now=NOW)
        operations.convert()

    at_once(work)
    settle()
    assert fetch("SELECT count(*), count(DISTINCT event_id) FROM conversion") == [(50, 50)]


def test_credit_of_one_conversion_from_two_sides_is_the_same(shop: Shop) -> None:
    goal()
    anna = shop.person("anna")
    shop.click(anna, "welcome", ago(days=1))
    shop.buy("anna", ago(hours=1))
    settle()
    expected = everything()
    for _round in range(5):
        execute("INSERT INTO stale_conversion (conversion_id) SELECT id FROM conversion, generate_series(1, 6)")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(operations, "BATCH", 3)
            at_once(lambda: operations.credit())
        assert everything() == expected
