from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client

from loyalty.local import health
from loyalty.local.models import ChoreState

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_broker(valkey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    health._broker.cache_clear()
    monkeypatch.setattr(health, "_migrated", False)


def test_liveness_asks_nobody(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_ready_when_all_is_there(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "database": "ok", "broker": "ok", "migrations": "ok"}


def test_not_ready_without_broker(client: Client, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "database": "ok",
        "broker": "down (ConnectionError)",
        "migrations": "ok",
    }
    health._broker.cache_clear()


def test_not_ready_without_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr(health, "fetch", lost)
    monkeypatch.setattr(health.connection, "close", lambda: None)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "down (DatabaseError)"
    assert answer.json()["migrations"] == "unknown"


def test_metrics_in_prometheus_text(client: Client, valkey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from loyalty.kit.chores import all_chores

    key = next(iter(all_chores())).key
    ChoreState.objects.create(key=key, runs=12, failures=2, last_finished_at="2026-01-01T00:00:00Z")
    valkey.rpush("flows", "a", "b")
    answer = client.get("/metrics")
    text = answer.content.decode()
    assert answer.status_code == 200
    assert 'loyalty_queue_depth{queue="flows"} 2.0' in text
    assert f'loyalty_chore_runs{{chore="{key}"}} 12.0' in text
    assert f'loyalty_chore_failures{{chore="{key}"}} 2.0' in text
    assert 'loyalty_up{service="database"} 1.0' in text
    assert 'loyalty_up{service="broker"} 1.0' in text

    monkeypatch.setenv("METRICS_TOKEN", "secret")
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer secret"}).status_code == 200
