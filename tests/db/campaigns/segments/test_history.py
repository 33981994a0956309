"""Who was in when, sizes hour by hour and day by day, and the rules a segment had."""

from datetime import UTC, datetime, timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.segments import history, operations
from campaigns.segments.models import Foreseen, PastMember, Segment, SegmentDefinition, SegmentSize
from loyalty.kit.checks import invariants
from loyalty.kit.sql import Sql, fetch
from tests.db.campaigns.segments.conftest import Shop

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
GERMANS = {"attribute": "country", "eq": "DE"}


def was_in(shop: Shop, key: str, at: datetime) -> list[str | None]:
    segment = Segment.objects.get(key=key)
    found = [one.external_id for one in history.members_at(segment.id, at)]
    assert history.size_at(segment.id, at) == len(found)
    return found


def test_who_was_in_at_an_instant(shop: Shop) -> None:
    start = shop.now
    a, b = shop.customers({"external_id": "a", "country": "DE"}, {"external_id": "b", "country": "DE"})
    shop.segment("germans", GERMANS)
    shop.now += HOUR
    shop.customers({"external_id": "a", "country": "AT"})
    shop.refresh()
    shop.now += HOUR
    shop.customers({"external_id": "a", "country": "DE"}, {"external_id": "c", "country": "DE"})
    shop.refresh()
    tick = timedelta(microseconds=1)
    assert was_in(shop, "germans", start - tick) == []
    assert was_in(shop, "germans", start) == ["a", "b"]
    assert was_in(shop, "germans", start + HOUR - tick) == ["a", "b"]
    assert was_in(shop, "germans", start + HOUR) == ["b"]
    assert was_in(shop, "germans", start + 2 * HOUR) == ["a", "b", "c"]
    assert history.stays(a) == [
        history.Stay("germans", start + 2 * HOUR, None),
        history.Stay("germans", start, start + HOUR),
    ]
    assert history.stays(b, Segment.objects.get().id) == [history.Stay("germans", start, None)]
    assert PastMember.objects.count() == 1


def test_pages_of_a_past_instant(shop: Shop) -> None:
    shop.customers(*({"external_id": f"c{n}", "country": "DE"} for n in range(7)))
    shop.segment("germans", GERMANS)
    start = shop.now
    shop.now += HOUR
    shop.customers(*({"external_id": f"c{n}", "country": "AT"} for n in (0, 3, 6)))
    shop.refresh()
    segment = Segment.objects.get()
    first = history.members_at(segment.id, start, limit=4)
    rest = history.members_at(segment.id, start, after=first[-1].customer_id, limit=4)
    assert [one.external_id for one in first + rest] == [f"c{n}" for n in range(7)]
    assert [one.until for one in first] == [start + HOUR, None, None, start + HOUR]


def test_moves_of_one_instant_leave_no_trace_and_a_clock_set_back_does_no_harm(shop: Shop) -> None:
    start = shop.now
    shop.customers({"external_id": "a", "country": "DE"})
    shop.segment("germans", GERMANS)
    for land in ("AT", "DE"):
        shop.customers({"external_id": "a", "country": land})
        shop.refresh()
    assert PastMember.objects.count() == 0
    for at, land in ((HOUR, "AT"), (-HOUR, "DE"), (2 * HOUR, "AT"), (-2 * HOUR, "DE"), (3 * HOUR, "AT")):
        shop.now = start + at
        shop.customers({"external_id": "a", "country": land})
        shop.refresh()
    assert shop.members("germans") == []
    assert all(one.since < one.until for one in PastMember.objects.all())


def test_sizes_by_hour_and_day(shop: Shop) -> None:
    shop.now = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
    shop.customers({"external_id": "a", "country": "DE"}, {"external_id": "b", "country": "DE"})
    shop.segment("germans", GERMANS)
    for later, key, land in ((HOUR, "c", "DE"), (timedelta(minutes=5), "d", "DE"), (2 * DAY, "a", "AT")):
        shop.now += later
        shop.customers({"external_id": key, "country": land})
        shop.refresh()
    segment = Segment.objects.get()
    hours = history.sizes(segment.id, start=shop.now - 2 * DAY - 3 * HOUR, end=shop.now - 2 * DAY + HOUR, step="hour")
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert hours == [
        history.Size(noon, 2, 2, 0),
        history.Size(noon + HOUR, 4, 2, 0),
        history.Size(noon + 2 * HOUR, 4, 0, 0),
    ]
    days = history.sizes(segment.id, start=shop.now - 30 * DAY, end=shop.now, zone="Europe/Berlin")
    midnight = datetime(2026, 11, 20, 23, tzinfo=UTC)
    assert days == [
        history.Size(midnight, 4, 4, 0),
        history.Size(midnight + DAY, 4, 0, 0),
        history.Size(midnight + 2 * DAY, 3, 0, 1),
    ]
    assert len(history.sizes(segment.id, start=shop.now - 3 * DAY, end=shop.now + 800 * DAY)) == history.MOST_POINTS


def test_definitions_are_kept_and_a_name_is_none(shop: Shop) -> None:
    start = shop.now
    shop.segment("home", GERMANS)
    shop.now += DAY
    shop.segment("home", GERMANS, name={"en": "At home"})
    shop.now += DAY
    shop.segment("home", {"attribute": "country", "eq": "AT"})
    assert history.definitions(Segment.objects.get().id) == [
        history.Definition(start + 2 * DAY, {"attribute": "country", "eq": "AT"}),
        history.Definition(start, GERMANS),
    ]


def test_a_deleted_segment_takes_its_history_along(shop: Shop) -> None:
    shop.customers({"external_id": "a", "country": "DE", "birth_date": "1980-11-22"})
    shop.segment("soon", {"attribute": "birth_date", "anniversary_within": "7d"})
    shop.segment("germans", GERMANS)
    shop.now += DAY
    shop.customers({"external_id": "a", "country": "AT"})
    shop.refresh()
    operations.delete_segment(key="germans")
    operations.delete_segment(key="soon")
    models = (PastMember, SegmentSize, SegmentDefinition, Foreseen)
    assert [model._default_manager.count() for model in models] == [0, 0, 0, 0]


def test_overlapping_and_orphaned_pasts_are_found(shop: Shop) -> None:
    ids = shop.customers({"external_id": "a", "country": "DE"})
    shop.segment("germans", GERMANS)
    segment = Segment.objects.get()
    query = next(check.query for check in invariants() if check.key == "segments.past")
    gone = PastMember.objects.create
    gone(segment_id=segment.id, customer_id=ids[0], since=shop.now - 2 * DAY, until=shop.now - DAY)
    assert fetch(Sql(query)) == []
    gone(segment_id=segment.id, customer_id=ids[0], since=shop.now - 1.5 * DAY, until=shop.now + DAY)
    gone(segment_id=segment.id + 1, customer_id=ids[0], since=shop.now - DAY, until=shop.now)
    # Two that overlap one another, one that overlaps being in, one of a segment that is not there.
    assert len(fetch(Sql(query))) == 3


def test_pasts_of_erased_people_are_gone(shop: Shop) -> None:
    from loyalty.customers.erasing import erase_customers

    ids = shop.customers({"external_id": "a", "country": "DE"})
    shop.segment("germans", GERMANS)
    shop.now += DAY
    shop.customers({"external_id": "a", "country": "AT"})
    shop.refresh()
    assert PastMember.objects.count() == 1
    erase_customers(customer_ids=ids)
    assert PastMember.objects.count() == 0


def test_sizes_cost_one_statement_for_all_segments_of_a_delta(shop: Shop) -> None:
    def statements(segments: int) -> int:
        for n in range(segments):
            shop.segment(f"s{segments}-{n}", GERMANS)
        shop.refresh()
        shop.now += HOUR
        shop.customers({"external_id": f"x{segments}", "country": "DE"})
        with CaptureQueriesContext(connection) as captured:
            shop.refresh()
        return sum("INSERT INTO segment_size" in query["sql"] for query in captured)

    assert statements(1) == statements(5) == 1
    assert SegmentSize.objects.filter(joined=1).count() == 12
