"""Members follow their rule: full builds, deltas, windows that run out, segments within segments."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.segments import refresh
from campaigns.segments.models import Segment
from loyalty.events import queue
from loyalty.kit.sql import Sql, execute, fetch
from tests.db.campaigns.segments.conftest import Shop, queued

DAY = timedelta(days=1)
GERMANS = {"attribute": "country", "eq": "DE"}
BUYERS = {"event": "purchase", "within": "90d"}


def test_a_new_segment_is_built_at_once_and_its_members_are_facts(shop: Shop) -> None:
    shop.customers({"external_id": "a", "country": "DE"}, {"external_id": "b", "country": "AT"})
    assert shop.segment("germans", GERMANS).built
    assert shop.members("germans") == ["a"]
    assert shop.facts("germans") == [("a", "joined")]


def test_a_large_base_is_built_by_the_chore(shop: Shop, large: None) -> None:
    shop.customers({"external_id": "a", "country": "DE"})
    assert not shop.segment("germans", GERMANS).built
    assert Segment.objects.get(key="germans").built_at is None
    assert shop.refresh() > 0
    assert shop.members("germans") == ["a"]
    assert Segment.objects.get(key="germans").built_at == shop.now


def test_a_changed_rule_moves_only_the_difference(shop: Shop) -> None:
    shop.customers(*({"external_id": key, "country": land} for key, land in [("a", "DE"), ("b", "AT"), ("c", "FR")]))
    shop.segment("home", {"attribute": "country", "in": ["DE", "AT"]})
    shop.now += DAY
    shop.segment("home", {"attribute": "country", "in": ["AT", "FR"]})
    assert shop.members("home") == ["b", "c"]
    assert sorted(shop.facts("home")[2:]) == [("a", "left"), ("c", "joined")]


def test_a_changed_name_builds_nothing(shop: Shop, full_builds: list[int]) -> None:
    assert shop.segment("germans", GERMANS).verdict == "created"
    assert shop.segment("germans", GERMANS).verdict == "unchanged"
    assert shop.segment("germans", GERMANS, name={"en": "Germans"}).verdict == "updated"
    assert len(full_builds) == 1


def test_changed_customers_are_followed_without_a_full_build(shop: Shop, full_builds: list[int]) -> None:
    shop.customers({"external_id": "a", "country": "DE"}, {"external_id": "b", "country": "AT"})
    shop.segment("germans", GERMANS)
    shop.refresh()
    built = len(full_builds)
    shop.customers({"external_id": "a", "country": "AT"}, {"external_id": "b", "country": "DE"}, {"external_id": "c"})
    assert queued() > 0
    shop.refresh(timedelta(seconds=5))
    assert shop.members("germans") == ["b"]
    assert sorted(shop.facts("germans")[1:]) == [("a", "left"), ("b", "joined")]
    assert queued() == 0
    assert len(full_builds) == built
    assert shop.refresh(timedelta(seconds=5)) == 0


def test_new_events_are_followed(shop: Shop, full_builds: list[int]) -> None:
    shop.customers({"external_id": "a"}, {"external_id": "b"})
    shop.segment("buyers", {"event": "purchase", "count": {"gte": 2}})
    shop.event("a", "purchase")
    shop.event("b", "page_view")
    shop.refresh(timedelta(seconds=5))
    assert shop.members("buyers") == []
    shop.event("a", "purchase")
    shop.refresh(timedelta(seconds=5))
    assert shop.members("buyers") == ["a"]
    assert len(full_builds) == 1
    assert queued() == 0


def test_events_of_types_that_no_segment_reads_are_not_queued(shop: Shop) -> None:
    shop.segment("buyers", BUYERS)
    shop.event("a", "page_view")
    assert fetch(Sql("SELECT count(*) FROM event_queue WHERE consumer = 'segments'")) == [(0,)]
    shop.segment("buyers", GERMANS)
    shop.event("a", "purchase")
    assert fetch(Sql("SELECT count(*) FROM event_queue WHERE consumer = 'segments'")) == [(0,)]


def test_a_window_runs_out_at_its_instant_without_a_new_event(shop: Shop, full_builds: list[int]) -> None:
    shop.customers({"external_id": "a"}, {"external_id": "b"})
    shop.event("a", "purchase", 80 * DAY)
    shop.event("b", "purchase", 10 * DAY)
    shop.segment("buyers", BUYERS)
    assert shop.members("buyers") == ["a", "b"]
    shop.refresh(timedelta(minutes=10))  # the one more build after a new subscription
    built = len(full_builds)
    shop.refresh(10 * DAY - timedelta(minutes=10, microseconds=1))
    assert shop.members("buyers") == ["a", "b"]
    shop.refresh(timedelta(microseconds=1))
    assert shop.members("buyers") == ["b"]
    assert shop.facts("buyers")[-1] == ("a", "left")
    assert len(full_builds) == built


def test_a_window_in_a_negation_lets_people_in_when_it_runs_out(shop: Shop) -> None:
    shop.customers({"external_id": "a"})
    shop.event("a", "purchase", 89 * DAY)
    shop.segment("lapsing", {"all": [{"event": "purchase"}, {"none": [BUYERS]}]})
    assert shop.members("lapsing") == []
    shop.refresh(DAY)
    assert shop.members("lapsing") == ["a"]


def test_the_last_event_of_a_window_over_its_time_counts_too(shop: Shop) -> None:
    shop.customers({"external_id": "a"})
    shop.event("a", "login", 29 * DAY)
    shop.segment("recent", {"event": "login", "last": {"within": "30d"}})
    assert shop.members("recent") == ["a"]
    shop.refresh(DAY)
    assert shop.members("recent") == []


def test_an_event_dated_ahead_counts_from_its_instant_on(shop: Shop) -> None:
    shop.customers({"external_id": "a"}, {"external_id": "b"})
    shop.event("a", "purchase", timedelta(hours=-2))
    shop.segment("buyers", {"event": "purchase"})
    assert shop.members("buyers") == []
    shop.event("b", "purchase", timedelta(hours=-3))
    shop.refresh(timedelta(minutes=90))
    assert shop.members("buyers") == []
    shop.refresh(timedelta(minutes=30))
    assert shop.members("buyers") == ["a"]
    shop.refresh(timedelta(hours=1))
    assert shop.members("buyers") == ["a", "b"]
    assert Segment.objects.get(key="buyers").ahead is False


def test_days_that_come_round_are_found_by_a_regular_build(shop: Shop) -> None:
    shop.customers({"external_id": "a", "birth_date": "1980-11-28"})
    shop.segment("birthdays", {"attribute": "birth_date", "anniversary_within": "7d"})
    assert shop.members("birthdays") == []
    shop.refresh(DAY)
    assert shop.members("birthdays") == ["a"]
    shop.refresh(7 * DAY)
    assert shop.members("birthdays") == []


def test_movers_of_an_inner_segment_reach_the_outer_ones(shop: Shop, full_builds: list[int]) -> None:
    shop.customers({"external_id": "a", "country": "DE"}, {"external_id": "b", "country": "AT"})
    shop.segment("inner", GERMANS)
    shop.segment("middle", {"all": [{"segment": "inner"}]})
    shop.segment("outer", {"none": [{"segment": "middle"}]})
    shop.refresh()
    built = len(full_builds)
    shop.customers({"external_id": "a", "country": "AT"})
    shop.refresh(timedelta(seconds=5))
    assert (shop.members("inner"), shop.members("middle"), shop.members("outer")) == ([], [], ["a", "b"])
    assert len(full_builds) == built


def test_movers_by_event_reach_outer_segments_that_do_not_read_it(shop: Shop) -> None:
    shop.customers({"external_id": "a"})
    shop.segment("buyers", BUYERS)
    shop.segment("others", {"none": [{"segment": "buyers"}]})
    shop.refresh()
    assert shop.members("others") == ["a"]
    shop.event("a", "purchase")
    shop.refresh(timedelta(seconds=5))
    assert shop.members("others") == []
    shop.refresh(91 * DAY)
    assert shop.members("others") == ["a"]


@pytest.mark.parametrize("most_followed", [0, 20_000])
def test_a_rebuilt_inner_segment_reaches_the_outer_ones(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, most_followed: int
) -> None:
    monkeypatch.setattr(refresh, "MOST_FOLLOWED", most_followed)
    shop.customers({"external_id": "a", "country": "DE"}, {"external_id": "b", "country": "AT"})
    shop.segment("inner", GERMANS)
    shop.segment("outer", {"segment": "inner"})
    shop.refresh()
    shop.segment("inner", {"attribute": "country", "eq": "AT"})
    shop.refresh()
    assert shop.members("outer") == ["b"]


def test_a_segment_may_name_one_that_the_same_call_brings_later(shop: Shop) -> None:
    shop.customers({"external_id": "a", "country": "DE"})
    saved = shop.segment("outer", {"segment": "inner"}, declared={"inner"})
    assert not saved.built
    shop.segment("inner", GERMANS)
    shop.refresh()
    assert shop.members("outer") == ["a"]


def test_the_number_of_queries_does_not_grow_with_the_customers(shop: Shop) -> None:
    shop.segment("germans", GERMANS)
    shop.segment("buyers", BUYERS)
    shop.segment("both", {"all": [{"segment": "germans"}, {"segment": "buyers"}]})
    shop.refresh()

    def queries_for(count: int) -> int:
        shop.customers(*({"external_id": f"{count}-{n}", "country": "DE"} for n in range(count)))
        for n in range(min(count, 20)):
            shop.event(f"{count}-{n}", "purchase")
        shop.now += timedelta(seconds=5)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert refresh.follow_changes(now=shop.now).taken >= count
        return len(captured)

    queries_for(1)
    assert queries_for(2) == queries_for(500)
    assert len(shop.members("both")) == 23


def test_an_idle_tick_writes_nothing(shop: Shop) -> None:
    shop.customers({"external_id": "a"})
    shop.event("a", "purchase")
    shop.segment("buyers", BUYERS)
    shop.refresh(DAY)
    with CaptureQueriesContext(connection) as captured:
        assert shop.refresh(timedelta(seconds=5)) == 0
    writes = [query["sql"] for query in captured if query["sql"].lstrip().startswith(("UPDATE", "MERGE"))]
    assert writes == []
    assert len(captured) < 20


def test_a_rule_that_fails_is_noted_and_does_not_stop_the_others(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.customers({"external_id": "a", "country": "DE"})
    shop.segment("broken", {"attribute": "city", "eq": "Bonn"})
    shop.segment("germans", GERMANS)
    shop.refresh()
    compiled = refresh.compiler.compiled

    def failing(rule: object, context: object) -> Sql:
        found = compiled(rule, context)
        return Sql("1/(c.id - c.id) > 0") if "city" in found.text else found

    monkeypatch.setattr(refresh.compiler, "compiled", failing)
    shop.customers({"external_id": "b", "country": "DE"})
    shop.refresh(timedelta(seconds=5))
    assert shop.members("germans") == ["a", "b"]
    broken = Segment.objects.get(key="broken")
    assert broken.problem == "division by zero"
    shop.refresh(refresh.RETRY)
    assert Segment.objects.get(key="broken").rebuild_at == shop.now + refresh.RETRY
    monkeypatch.undo()
    shop.refresh(refresh.RETRY)
    assert Segment.objects.get(key="broken").problem is None


def test_a_stored_rule_that_is_not_understood_any_more_is_left_alone(shop: Shop) -> None:
    shop.customers({"external_id": "a", "country": "DE"})
    shop.segment("germans", GERMANS)
    Segment.objects.create(key="old", rule={"gone": 1}, digest="", rebuild_at=shop.now)
    shop.customers({"external_id": "b", "country": "DE"})
    shop.refresh(timedelta(seconds=5))
    assert shop.members("germans") == ["a", "b"]


def test_erased_customers_are_in_no_segment(shop: Shop) -> None:
    from loyalty.customers.erasing import erase_customers

    ids = shop.customers({"external_id": "a", "country": "DE"}, {"external_id": "b", "country": "DE"})
    shop.segment("germans", GERMANS)
    erase_customers(customer_ids=ids[:1])
    assert shop.members("germans") == ["b"]
    shop.refresh(timedelta(seconds=5))
    assert shop.members("germans") == ["b"]


def test_facts_reach_a_subscriber_in_the_same_transaction(shop: Shop) -> None:
    queue.subscribe("flows", ["segment.joined", "segment.left"])
    shop.customers({"external_id": "a", "country": "DE"})
    shop.segment("germans", GERMANS)
    shop.customers({"external_id": "a", "country": "AT"})
    shop.refresh(timedelta(seconds=5))
    names = fetch(
        Sql(
            "SELECT t.name FROM event_queue q JOIN event_type t ON t.id = q.type_id WHERE q.consumer = 'flows'"
            " ORDER BY q.seq"
        )
    )
    assert names == [("segment.joined",), ("segment.left",)]


def test_counts_and_orphans_are_checked(shop: Shop) -> None:
    from loyalty.kit.checks import invariants

    shop.customers({"external_id": "a", "country": "DE"})
    shop.segment("germans", GERMANS)
    checks = {check.key: check.query for check in invariants() if check.key.startswith("segments.")}
    assert set(checks) == {"segments.member_count", "segments.orphans", "segments.past"}
    assert [fetch(Sql(query)) for query in checks.values()] == [[], [], []]
    execute(Sql("INSERT INTO segment_member (segment_id, customer_id, since) VALUES (1000000, 1000000, now())"))
    Segment.objects.update(member_count=7)
    assert [len(fetch(Sql(query))) for query in checks.values()] == [1, 1, 0]
