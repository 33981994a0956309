"""Customers to whom things happen, and second connections for races."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import connection, connections

from loyalty.kit.sql import fetch, sql

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def people(db: None) -> dict[str, int]:
    """Three known customers c1, c2, c3 by external id."""
    return dict(
        fetch(
            sql(
                """INSERT INTO customer (external_id, created_at, updated_at, attributes)
                SELECT 'c' || n, {now}, {now}, '{{}}' FROM generate_series(1, 3) AS n RETURNING external_id, id""",
                now=NOW,
            )
        )
    )


@pytest.fixture
def other(transactional_db: None) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A second connection to the test database, rolled back at the end."""
    settings = connection.settings_dict
    with psycopg.connect(
        dbname=settings["NAME"],
        user=settings["USER"],
        password=settings["PASSWORD"],
        host=settings["HOST"],
        port=settings["PORT"],
    ) as session:
        yield session
        session.rollback()


@pytest.fixture
def together() -> Callable[..., list[Any]]:
    """Run functions at the same moment, each in a thread with a connection of its own; their results or errors."""

    def run(*functions: Callable[[], Any]) -> list[Any]:
        barrier = threading.Barrier(len(functions))
        results: list[Any] = [None] * len(functions)

        def work(place: int, function: Callable[[], Any]) -> None:
            try:
                barrier.wait(10)
                results[place] = function()
            except Exception as error:  # the test looks at it
                results[place] = error
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work, args=item) for item in enumerate(functions)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in threads)
        return results

    return run
