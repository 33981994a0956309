"""What `doctor` says about retention."""

from typing import Any

import pytest
from django.utils import timezone

from loyalty.events import operations
from loyalty.events.catalog import Definition, define
from loyalty.events.diagnoses import look_at_retention

pytestmark = pytest.mark.django_db


def test_expired_months_and_wrong_settings_are_told(people: dict[str, int], settings: Any) -> None:
    now = timezone.now()
    assert [one.level for one in look_at_retention()] == ["ok"]
    define(Definition(key="page_viewed", retention="30d"), now=now)
    event = {"customer": "c1", "name": "page_viewed", "occurred_at": "2020-05-05T10:00:00Z"}
    assert operations.intake(events=[event], now=now).accepted == 1
    (found,) = look_at_retention()
    assert (found.level, found.text) == ("warning", "1 months hold expired events, the oldest 2020-05")
    for name, wrong in (("LEGAL_HOLD", "yes"), ("EVENT_ID_MEMORY", "long"), ("EVENT_RETENTION", "long")):
        setattr(settings, name, wrong)
        (found,) = look_at_retention()
        assert (found.level, found.text.partition(":")[0]) == ("broken", name)
        setattr(settings, name, "")
