"""Fixtures that every test may use."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from loyalty.local import processes
from loyalty.local.state import REPOSITORY


@pytest.fixture(scope="session")
def django_db_modify_db_settings(servers: None) -> None:
    """The first test that wants a database starts the servers."""


@pytest.fixture
def valkey(servers: None) -> Iterator[redis.Redis]:
    """A client of an empty Valkey."""
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushdb()
        yield client
        client.flushdb()
