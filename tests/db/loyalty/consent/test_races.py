"""A withdrawal and whoever holds the person (a send guard, another batch) wait for each other, never in a circle."""

import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from loyalty.consent.intake import upsert_with_consents
from loyalty.consent.models import ConsentEntry, ConsentState
from loyalty.consent.operations import withdraw
from loyalty.customers.operations import upsert_customers
from loyalty.kit.checks import invariants
from loyalty.kit.sql import fetch, sql

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def in_thread(task: Any, errors: list[BaseException]) -> threading.Thread:
    def run() -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_withdrawal_waits_for_a_guard_that_holds_the_person() -> None:
    (ada,) = upsert_customers([{"external_id": "a"}], now=NOW, source="t").ids
    done, errors = threading.Event(), []

    def opt_out() -> None:
        withdraw([ada or 0], channel="email", source="link", at=NOW, now=NOW)
        done.set()

    with transaction.atomic():
        fetch(sql("SELECT id FROM customer WHERE id = {id} FOR UPDATE", id=ada))
        thread = in_thread(opt_out, errors)
        assert not done.wait(0.5)
        assert not ConsentState.objects.exists()
    thread.join(10)
    assert errors == []
    assert ConsentState.objects.get().status == "withdrawn"


def test_batches_with_consents_in_any_order_never_deadlock() -> None:
    people = [f"c{i}" for i in range(120)]

    def side(seed: int) -> None:
        for turn in range(5):
            chosen = random.Random(seed * 100 + turn)
            rows = []
            for name in chosen.sample(people, 100):
                consent = {
                    "channel": "email",
                    "purpose": "marketing",
                    "status": chosen.choice(["granted", "withdrawn"]),
                }
                consent |= {"source": f"s{seed}", "at": (NOW - timedelta(minutes=chosen.randrange(1000))).isoformat()}
                row: dict[str, Any] = {"external_id": name, "attributes": {f"s{seed}": turn}}
                rows.append(row | ({"consents": [consent]} if chosen.random() < 0.5 else {}))
            assert upsert_with_consents(rows, now=NOW, source="t").rejected == []

    errors: list[BaseException] = []
    threads = [in_thread(lambda seed=seed: side(seed), errors) for seed in (1, 2, 3)]
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert ConsentEntry.objects.count() > 500
    assert [
        one.key for one in invariants() if one.key.startswith(("consent.", "customers.")) and fetch(one.query)
    ] == []
