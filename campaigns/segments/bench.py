"""The segments workload: full builds, previews, differences, deltas, windows that run out and days that come round."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

from campaigns.segments import history, queries, refresh, tree
from campaigns.segments.models import Segment
from campaigns.segments.operations import save_segment
from loyalty.customers.changes import mark_changed_sql
from loyalty.events import partitions, types
from loyalty.kit.applying import apply_documents
from loyalty.kit.benches import Done, Size, Target, Workload, bench
from loyalty.kit.sql import Sql, execute, sql

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
EVENTS_EACH = 20
RULES: dict[str, dict[str, Any]] = {
    "profile": {"all": [{"attribute": "country", "eq": "DE"}, {"attribute": "age", "gte": 25, "lt": 40}]},
    "frequent": {"event": "purchase", "count": {"gte": 3}, "within": "90d"},
    "abandoned": {"all": [{"event": "cart", "within": "7d"}, {"none": [{"event": "purchase", "within": "7d"}]}]},
    "near": {"geo": {"near": [50.94, 6.96], "radius_km": 25}},
    "nested": {"all": [{"segment": "profile"}, {"segment": "frequent"}, {"none": [{"segment": "abandoned"}]}]},
}
# Previewed too: rules over whole histories, which no window makes small, and one that few people match.
ASKED: dict[str, dict[str, Any]] = {
    **RULES,
    "ever": {"event": "purchase", "count": {"gte": 4}},
    "spent": {"event": "purchase", "sum": {"gte": 500}, "of": "amount", "within": "365d"},
    "rare": {"all": [{"attribute": "city", "eq": "City 7"}, {"attribute": "age", "eq": 33}]},
}
BIRTHDAYS = {"attribute": "birth_date", "anniversary_within": "7d"}
RAW = (
    """INSERT INTO bench_member SELECT 'profile', id FROM customer
    WHERE country = 'DE' AND (attributes ->> 'age')::int BETWEEN 25 AND 39""",
    """INSERT INTO bench_member SELECT 'frequent', id FROM customer WHERE id IN (
        SELECT customer_id FROM event
        WHERE type_id = {purchase} AND occurred_at > {now}::timestamptz - interval '90 days'
        GROUP BY customer_id HAVING count(*) >= 3)""",
    """INSERT INTO bench_member SELECT 'abandoned', id FROM customer WHERE id IN (
        SELECT customer_id FROM event
        WHERE type_id = {cart} AND occurred_at > {now}::timestamptz - interval '7 days'
        EXCEPT SELECT customer_id FROM event
        WHERE type_id = {purchase} AND occurred_at > {now}::timestamptz - interval '7 days')""",
    """INSERT INTO bench_member SELECT 'near', id FROM customer
    WHERE (attributes -> 'location' ->> 'lat')::float BETWEEN 50.94 - 0.2249 AND 50.94 + 0.2249
        AND (attributes -> 'location' ->> 'lon')::float BETWEEN 6.96 - 0.357 AND 6.96 + 0.357
        AND 2 * 6371 * asin(sqrt(sind(((attributes -> 'location' ->> 'lat')::float - 50.94) / 2) ^ 2 + cosd(50.94)
            * cosd((attributes -> 'location' ->> 'lat')::float)
            * sind(((attributes -> 'location' ->> 'lon')::float - 6.96) / 2) ^ 2)) <= 25""",
    """INSERT INTO bench_member SELECT 'nested', customer_id FROM (
        SELECT customer_id FROM bench_member WHERE segment = 'profile'
        INTERSECT SELECT customer_id FROM bench_member WHERE segment = 'frequent'
        EXCEPT SELECT customer_id FROM bench_member WHERE segment = 'abandoned') x""",
)
_EMPTY = Sql(
    "TRUNCATE segment, segment_member, segment_past, segment_size, segment_definition, segment_foreseen,"
    " customer_change, event_queue"
)
TARGETS = (
    *(Target(f"build_{key}_s", at_most=1.5) for key in RULES),
    Target("preview_p95_ms", at_most=300),
    Target("delta_ms", at_most=100),
    Target("expiry_10000_ms", at_most=1000),
)


@bench("segments", unit="customer", n=1_000_000, targets=TARGETS)
class Segments(Workload):
    """Each rule built in full from nothing. Raw: the same members by hand-written SQL into a bare table, no facts."""

    def __init__(self, size: Size) -> None:
        super().__init__(size)
        self.now = NOW

    def prepare(self) -> None:
        """Customers and a year of events; one in a hundred customers has sixteen times as many as the others."""
        partitions.ensure(NOW - timedelta(days=366), NOW + timedelta(days=32))
        apply_documents([{"kind": "attribute", "key": "location", "type": "geo"}], now=NOW)
        execute(
            sql(
                "INSERT INTO customer (external_id, country, city, birth_date, attributes, created_at, updated_at)"
                " SELECT 'c' || n, (ARRAY['DE', 'DE', 'DE', 'AT', 'CH', 'FR'])[1 + n % 6], 'City ' || n % 900,"
                " date '1950-01-01' + n % 20000,"
                " jsonb_build_object('age', 16 + n % 70, 'plan', 'p' || n % 50, 'location',"
                " jsonb_build_object('lat', 47 + n % 797 / 100.0, 'lon', 6 + n % 901 / 100.0)), {now}, {now}"
                " FROM generate_series(1, {customers}) n",
                now=NOW,
                customers=self.size.customers,
            )
        )
        ids = types.type_ids(["purchase", "cart", "page_view", "login"])
        execute(
            sql(
                "INSERT INTO event (customer_id, type_id, occurred_at, received_at, properties)"
                " SELECT 1 + (hashint8(n)::bigint & 2147483647) %"
                " CASE WHEN n % 100 < 16 THEN greatest({customers} / 100, 1) ELSE {customers} END,"
                " CASE WHEN n % 20 < 3 THEN {purchase}::int WHEN n % 20 < 5 THEN {cart}::int"
                " WHEN n % 20 < 17 THEN {view}::int ELSE {login}::int END,"
                " {now} - (hashint8(n + 7)::bigint & 2147483647) / 2147483648.0 * interval '365 days', {now},"
                " CASE WHEN n % 20 < 3 THEN jsonb_build_object('amount', n % 200) END"
                " FROM generate_series(1, {events}) n",
                customers=self.size.customers,
                events=self.size.customers * EVENTS_EACH,
                purchase=ids["purchase"],
                cart=ids["cart"],
                view=ids["page_view"],
                login=ids["login"],
                now=NOW,
            )
        )

    def before_run(self) -> None:
        """No segments, no history and facts of them, empty queues."""
        self.now = NOW
        facts = list(types.type_ids(["segment.joined", "segment.left"]).values())
        execute(_EMPTY)
        execute(sql("DELETE FROM event WHERE type_id = ANY({facts})", facts=facts))
        execute(Sql("VACUUM ANALYZE event"))

    def run(self) -> Done:
        """Full builds; previews, a delta and a day of windows are timed beside them."""
        builds = {}
        for key, rule in RULES.items():
            save_segment(key=key, rule=rule, now=self.now)
            builds[f"build_{key}_s"] = _seconds(lambda: refresh.build_next(now=self.now))
        extras: dict[str, Any] = {
            **builds,
            **self._rebuilds(),
            **self._previews(),
            **self._differences(),
            **self._deltas(),
            **self._birthdays(),
        }
        extras["members"] = dict(Segment.objects.values_list("key", "member_count"))
        return Done(self.size.customers * len(RULES), seconds=sum(builds.values()), extras=extras)

    def _rebuilds(self) -> dict[str, float]:
        """Everything again, with nothing to change."""
        Segment.objects.update(rebuild_at=self.now)
        return {"rebuild_all_s": _seconds(lambda: [refresh.build_next(now=self.now) for _ in RULES])}

    def _previews(self) -> dict[str, float]:
        times = sorted(
            _seconds(lambda rule=rule: queries.preview(tree.parse(rule), now=self.now))  # type: ignore[misc]
            for rule in ASKED.values()
            for _ in range(5)
        )
        exact = [
            _seconds(lambda rule=rule: queries.preview(tree.parse(rule), now=self.now, exact=True))  # type: ignore[misc]
            for rule in RULES.values()
        ]
        return {
            "preview_p50_ms": times[len(times) // 2] * 1000,
            "preview_p95_ms": times[int(len(times) * 0.95)] * 1000,
            "preview_exact_max_ms": max(exact) * 1000,
        }

    def _differences(self) -> dict[str, float]:
        """What each rule would change in the segment of profiles, and who was in it at an instant."""
        segment = Segment.objects.get(key="profile")
        times = [
            _seconds(lambda rule=rule: queries.diff(tree.parse(rule), segment.id, now=self.now))  # type: ignore[misc]
            for rule in RULES.values()
        ]
        return {
            "diff_max_ms": max(times) * 1000,
            "members_at_ms": _seconds(lambda: history.members_at(segment.id, self.now)) * 1000,
            "size_at_ms": _seconds(lambda: history.size_at(segment.id, self.now)) * 1000,
        }

    def _deltas(self) -> dict[str, float]:
        """1,000 changed customers, then twelve hours in which some thousand events leave their windows."""
        changed = sql("SELECT id FROM customer WHERE id <= {most}", most=1000)
        execute(sql("UPDATE customer SET country = 'DE' WHERE id IN ({changed}) AND country = 'FR'", changed=changed))
        execute(mark_changed_sql(changed))
        delta = _seconds(lambda: refresh.follow_changes(now=self.now))
        self.now += timedelta(hours=12)
        expired = refresh.Followed()

        def expire() -> None:
            nonlocal expired
            expired = refresh.follow_changes(now=self.now)

        seconds = _seconds(expire)
        idle = _seconds(lambda: refresh.follow_changes(now=self.now))
        return {
            "delta_ms": delta * 1000,
            "expiry_ms": seconds * 1000,
            "expiry_customers": expired.taken,
            "expiry_10000_ms": seconds * 1000 * 10_000 / max(expired.taken, 1),
            "idle_ms": idle * 1000,
        }

    def _birthdays(self) -> dict[str, float]:
        """A rule whose answers the clock changes: the look ahead at everybody, and a midnight."""
        save_segment(key="birthdays", rule=BIRTHDAYS, now=self.now)
        refresh.build_next(now=self.now)
        self.now += timedelta(days=1)
        foresee = _seconds(lambda: refresh.foresee_next(now=self.now))
        midnight = _seconds(lambda: refresh.follow_changes(now=self.now))
        return {"foresee_s": foresee, "midnight_ms": midnight * 1000}

    def before_raw(self) -> None:
        """A bare table for the members."""
        execute(Sql("DROP TABLE IF EXISTS bench_member"))
        execute(Sql("CREATE TABLE bench_member (segment text, customer_id bigint)"))

    def raw(self) -> int:
        """What one would write by hand for these four rules."""
        ids = types.known(["purchase", "cart"])
        for statement in RAW:
            execute(sql(statement, purchase=ids["purchase"], cart=ids["cart"], now=NOW))
        return self.size.customers * len(RAW)


def _seconds(work: Callable[[], Any]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began
