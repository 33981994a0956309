"""The segments workload: full builds, previews, deltas and windows that run out, over skewed events."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

from campaigns.segments import queries, refresh, tree
from campaigns.segments.models import Segment
from campaigns.segments.operations import save_segment
from loyalty.customers.changes import mark_changed_sql
from loyalty.events import partitions, types
from loyalty.kit.benches import Done, Size, Target, Workload, bench
from loyalty.kit.sql import Sql, execute, sql

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
EVENTS_EACH = 20
RULES: dict[str, dict[str, Any]] = {
    "profile": {"all": [{"attribute": "country", "eq": "DE"}, {"attribute": "age", "gte": 25, "lt": 40}]},
    "frequent": {"event": "purchase", "count": {"gte": 3}, "within": "90d"},
    "abandoned": {"all": [{"event": "cart", "within": "7d"}, {"none": [{"event": "purchase", "within": "7d"}]}]},
    "nested": {"all": [{"segment": "profile"}, {"segment": "frequent"}, {"none": [{"segment": "abandoned"}]}]},
}
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
    """INSERT INTO bench_member SELECT 'nested', customer_id FROM (
        SELECT customer_id FROM bench_member WHERE segment = 'profile'
        INTERSECT SELECT customer_id FROM bench_member WHERE segment = 'frequent'
        EXCEPT SELECT customer_id FROM bench_member WHERE segment = 'abandoned') x""",
)
TARGETS = (
    *(Target(f"build_{key}_s", at_most=1.5) for key in RULES),
    Target("preview_p95_ms", at_most=300),
    Target("delta_ms", at_most=100),
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
        execute(
            sql(
                "INSERT INTO customer (external_id, country, city, attributes, created_at, updated_at)"
                " SELECT 'c' || n, (ARRAY['DE', 'DE', 'DE', 'AT', 'CH', 'FR'])[1 + n % 6], 'City ' || n % 900,"
                " jsonb_build_object('age', 16 + n % 70, 'plan', 'p' || n % 50), {now}, {now}"
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
        """No segments, no facts of them, empty queues."""
        self.now = NOW
        facts = list(types.type_ids(["segment.joined", "segment.left"]).values())
        execute(Sql("TRUNCATE segment, segment_member, customer_change, event_queue"))
        execute(sql("DELETE FROM event WHERE type_id = ANY({facts})", facts=facts))
        execute(Sql("VACUUM ANALYZE event"))

    def run(self) -> Done:
        """Full builds; previews, a delta and a day of windows are timed beside them."""
        builds = {}
        for key, rule in RULES.items():
            save_segment(key=key, rule=rule, now=self.now)
            builds[f"build_{key}_s"] = _seconds(lambda: refresh.build_next(now=self.now))
        extras: dict[str, Any] = {**builds, **self._rebuilds(), **self._previews(), **self._deltas()}
        extras["members"] = dict(Segment.objects.values_list("key", "member_count"))
        return Done(self.size.customers * len(RULES), seconds=sum(builds.values()), extras=extras)

    def _rebuilds(self) -> dict[str, float]:
        """Everything again, with nothing to change."""
        Segment.objects.update(rebuild_at=self.now)
        return {"rebuild_all_s": _seconds(lambda: [refresh.build_next(now=self.now) for _ in RULES])}

    def _previews(self) -> dict[str, float]:
        times = sorted(
            _seconds(lambda rule=rule: queries.preview(tree.parse(rule), now=self.now))  # type: ignore[misc]
            for rule in RULES.values()
            for _ in range(5)
        )
        return {"preview_p50_ms": times[len(times) // 2] * 1000, "preview_p95_ms": times[int(len(times) * 0.95)] * 1000}

    def _deltas(self) -> dict[str, float]:
        """1,000 changed customers, then a day in which some thousand purchases leave their windows."""
        changed = sql("SELECT id FROM customer WHERE id <= {most}", most=1000)
        execute(sql("UPDATE customer SET country = 'DE' WHERE id IN ({changed}) AND country = 'FR'", changed=changed))
        execute(mark_changed_sql(changed))
        delta = _seconds(lambda: refresh.follow_changes(now=self.now))
        self.now += timedelta(days=1)
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
            "idle_ms": idle * 1000,
        }

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
