"""People, events and segments, made through the product's own doors."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.segments import refresh
from campaigns.segments.models import Segment
from campaigns.segments.operations import Saved, save_segment
from campaigns.segments.tasks import refresh as refresh_chore
from loyalty.customers.operations import upsert_customers
from loyalty.events import operations as events
from loyalty.kit.sql import Sql, fetch, sql

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Shop:
    """What tests do, in short words."""

    now = NOW

    def customers(self, *rows: dict[str, Any]) -> list[int]:
        done = upsert_customers(list(rows), now=self.now, source="test")
        assert not done.rejected
        return [found for found in done.ids if found is not None]

    def event(self, customer: str, name: str, ago: timedelta = timedelta(0), **properties: Any) -> None:
        at = (self.now - ago).isoformat()
        event = {"customer": customer, "name": name, "occurred_at": at, "properties": properties}
        done = events.intake(events=[event], now=self.now)
        assert done.accepted == 1, done.rejected

    def segment(self, key: str, rule: dict[str, Any], **more: Any) -> Saved:
        return save_segment(key=key, rule=rule, now=self.now, **more)

    def refresh(self, later: timedelta = timedelta(0)) -> int:
        self.now += later
        return refresh_chore(now=self.now)

    def members(self, key: str) -> list[str]:
        query = sql(
            "SELECT c.external_id FROM segment_member m JOIN customer c ON c.id = m.customer_id"
            " JOIN segment s ON s.id = m.segment_id WHERE s.key = {key} ORDER BY 1",
            key=key,
        )
        found = [row[0] for row in fetch(query)]
        assert Segment.objects.get(key=key).member_count == len(found)
        return found

    def facts(self, key: str) -> list[tuple[str, str]]:
        """(external id, joined or left) in the order they were written."""
        query = sql(
            "SELECT c.external_id, replace(t.name, 'segment.', '') FROM event e JOIN event_type t ON t.id = e.type_id"
            " JOIN customer c ON c.id = e.customer_id JOIN segment s ON s.id = e.ref"
            " WHERE t.name LIKE 'segment.%' AND s.key = {key} ORDER BY e.occurred_at, e.id, 1",
            key=key,
        )
        return [tuple(row) for row in fetch(query)]


@pytest.fixture
def shop(db: None) -> Shop:
    return Shop()


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were too many customers to build a segment while its author waits."""
    monkeypatch.setattr("campaigns.segments.operations.SMALL", -1)


@pytest.fixture
def full_builds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of the segments that were built in full from now on."""
    built: list[int] = []
    build: Callable[..., Any] = refresh.build

    def counted(segment_id: int, *, now: datetime) -> Any:
        built.append(segment_id)
        return build(segment_id, now=now)

    monkeypatch.setattr(refresh, "build", counted)
    return built


def queued() -> int:
    """How many changes wait."""
    return int(fetch(Sql("SELECT (SELECT count(*) FROM customer_change) + (SELECT count(*) FROM event_queue)"))[0][0])
