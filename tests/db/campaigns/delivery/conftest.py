from collections.abc import Iterator

import pytest

from campaigns.channels.providers import email_recording
from tests.db.campaigns.delivery.world import World


@pytest.fixture
def world(db: None) -> Iterator[World]:
    email_recording.forget()
    yield World().prepare()
    email_recording.forget()
