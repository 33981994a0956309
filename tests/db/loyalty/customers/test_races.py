"""Two connections at once: the same people are made and changed without deadlock, and nobody twice."""

import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction

from loyalty.customers import correcting
from loyalty.customers.models import Customer, CustomerIdentity
from loyalty.customers.operations import ensure_customers, upsert_customers
from loyalty.kit.problems import Problems

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at_once(*work: Callable[[], Any]) -> list[Any]:
    """Run all in threads of their own, begun together; their answers, or what they raised."""
    answers: list[Any] = [None] * len(work)
    gate = threading.Barrier(len(work))

    def run(place: int, task: Callable[[], Any]) -> None:
        try:
            gate.wait()
            answers[place] = task()
        except BaseException as error:  # noqa: BLE001
            answers[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(work)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


def test_the_same_people_from_two_sides_are_made_once_and_nothing_is_lost() -> None:
    people = [
        {"external_id": f"c{i}", "email": f"c{i}@example.com", "identities": {"card": str(i)}} for i in range(300)
    ] + [{"email": f"only{i}@example.com"} for i in range(100)]

    def side(name: str, seed: int) -> list[int | None]:
        ids: dict[str, int | None] = {}
        for turn in range(4):
            rows = [{**row, "attributes": {f"{name}{turn}": seed}} for row in people]
            random.Random(seed + turn).shuffle(rows)
            done = upsert_customers(rows, now=NOW, source=name)
            assert done.rejected == []
            ids |= {row["email"]: one for row, one in zip(rows, done.ids, strict=True)}
        return [ids[row["email"]] for row in people]

    left, right = at_once(lambda: side("left", 1), lambda: side("right", 100))
    assert left == right
    assert Customer.objects.count() == 400
    assert CustomerIdentity.objects.count() == 300
    expected = {f"left{turn}": 1 for turn in range(4)} | {f"right{turn}": 100 for turn in range(4)}
    assert [c for c in Customer.objects.all() if c.attributes != expected] == []


def test_stubs_from_two_event_streams_are_made_once() -> None:
    def stubs(seed: int) -> dict[tuple[str, str], int]:
        ids = [f"e{i}" for i in range(200)]
        visitors = [f"v{i}" for i in range(200)]
        random.Random(seed).shuffle(ids)
        random.Random(seed).shuffle(visitors)
        return ensure_customers(ids, visitors, now=NOW)

    first, second, third = at_once(lambda: stubs(1), lambda: stubs(2), lambda: stubs(3))
    assert first == second == third
    assert Customer.objects.count() == 400


def test_an_update_waits_for_the_row_and_sees_what_was_written() -> None:
    customer_id = upsert_customers([{"external_id": "a", "attributes": {"x": 1}}], now=NOW, source="t").ids[0]
    locked, asked = threading.Event(), threading.Event()

    def holder() -> None:
        with transaction.atomic():
            upsert_customers([{"external_id": "a", "attributes": {"x": 2, "y": 1}}], now=NOW, source="t")
            locked.set()
            asked.wait(10)

    def waiter() -> int:
        locked.wait(10)
        threading.Timer(0.3, asked.set).start()
        return upsert_customers([{"external_id": "a", "attributes": {"z": 3}}], now=NOW, source="t").changed

    assert at_once(holder, waiter) == [None, 1]
    assert Customer.objects.get(pk=customer_id).attributes == {"x": 2, "y": 1, "z": 3}


def test_a_key_that_somebody_else_got_meanwhile_is_told_like_any_key_that_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upsert_customers([{"external_id": "a"}, {"external_id": "b"}], now=NOW, source="test")
    mine, other = (Customer.objects.get(external_id=key).id for key in "ab")
    look = correcting.identity_owners
    looks: list[Any] = []

    def overtaken_once(keys: Any) -> Any:
        looks.append(keys)
        if len(looks) > 1:
            return look(keys)
        at_once(lambda: CustomerIdentity.objects.create(customer_id=other, kind="card", value="4711", created_at=NOW))
        return {}

    monkeypatch.setattr(correcting, "identity_owners", overtaken_once)
    with pytest.raises(Problems) as refused:
        correcting.correct_customer(customer_id=mine, row={}, now=NOW, source="admin", add=[("card", "4711")])
    assert "belongs to another customer" in str(refused.value)
    assert len(looks) == 2
