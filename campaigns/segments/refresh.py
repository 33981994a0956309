"""Keeping members right: full builds where a rule is new, deltas for who changed, and windows as they run out.

One session works on a segment at a time: whoever builds it or follows changes into it holds its row lock. A full
build reads everything that was committed before it began; what is committed later stands in the queues. A delta that
meets a segment locked by a build gives its customers back to the queue, so nothing is lost and nobody waits.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic

from django.db import DatabaseError, connection, transaction

from campaigns.segments import compile as compiler
from campaigns.segments import dependencies, tree
from campaigns.segments.membership import Moved, fact_ctes, settle
from campaigns.segments.models import Segment, SegmentMember
from campaigns.segments.operator import Context
from campaigns.segments.stored import Stored, references, rule_of, stored_segments
from loyalty.customers.changes import mark_changed_sql
from loyalty.events import queue, types
from loyalty.kit.chores import get_chore, hint
from loyalty.kit.logs import fields
from loyalty.kit.sql import Sql, execute, fetch, sql

logger = logging.getLogger(__name__)

CONSUMER = "segments"
# Rules that depend on the clock otherwise than by a window over events ("birthday in 7 days") are built anew this
# often: days change at midnight, so minutes are plenty, and a build of 1M customers takes about a second.
WINDOW_REFRESH = timedelta(minutes=5)
# An intake that was running when a segment subscribed to its event type did not queue its events for it. Such
# transactions are over by then, so one more build finds what they wrote.
SETTLE = timedelta(seconds=60)
# A failed build is tried again after this time; until then the members stay as they were.
RETRY = timedelta(minutes=5)
# Customers and events taken at once: 20,000 take about half a second per ten segments.
BATCH = 20_000
# More than this many changed members of an inner segment are cheaper followed by building the outer one anew.
MOST_FOLLOWED = 20_000
BUILD_TIMEOUT = "60s"
# Hash tables of event subqueries over a million customers must fit, else PostgreSQL probes them row by row.
BUILD_MEMORY = "256MB"
# "segments" in hexadecimal, cut to 63 bits: only one session follows changes.
_LOCK = 0x7365676D656E7473

_SCOPE = """
CREATE TEMP TABLE IF NOT EXISTS segment_scope (customer_id bigint, segment_id int, type_id int) ON COMMIT DELETE ROWS"""


@dataclass(frozen=True, slots=True)
class Followed:
    """What one delta did: how many queue entries and expired windows were worked, and who moved."""

    taken: int = 0
    joined: int = 0
    left: int = 0


def build_next(*, now: datetime) -> bool:
    """Build one segment that is due, inner ones first; False when none is due (or all due ones are being built)."""
    due = set(Segment.objects.filter(rebuild_at__lte=now).values_list("key", flat=True))
    if not due:
        return False
    stored = stored_segments()
    for key in dependencies.ordered(references(stored)):
        if key in due and build(stored[key].id, now=now) is not None:
            return True
    return False


def build(segment_id: int, *, now: datetime) -> Moved | None:
    """Full build of one segment in a transaction; None when another session is at it or it is not due any more.

    A rule that PostgreSQL cannot carry out in time is noted on the segment and tried again later.
    """
    try:
        with transaction.atomic():
            segment = (
                Segment.objects.select_for_update(skip_locked=True).filter(id=segment_id, rebuild_at__lte=now).first()
            )
            rule = rule_of(segment.key, segment.rule) if segment else None
            if segment is None or rule is None:
                return None
            return _build(segment, rule, now)
    except DatabaseError as error:
        _note_failure(segment_id, error, now)
        return Moved()


def _build(segment: Segment, rule: tree.Rule, now: datetime) -> Moved:
    began = monotonic()
    _bound_work()
    condition = compiler.condition(rule, now=now)
    moved = settle(segment.id, condition, now=now, fact_ctes=fact_ctes(now=now))
    if moved.joined > MOST_FOLLOWED:
        # Without fresh statistics the next deltas would take the table for empty and scan it.
        execute(Sql("ANALYZE segment_member"))
    _tell_outer(segment, moved, now)
    reads = tree.reads(rule)
    first = segment.built_at is None and bool(reads.events)
    type_ids = types.known(reads.events).values() if reads.events else ()
    segment.ahead = bool(_types_ahead(type_ids, now))
    segment.rebuild_at = now + SETTLE if first else now + WINDOW_REFRESH if reads.clock else None
    segment.built_at = segment.checked_at = now
    segment.build_ms = round((monotonic() - began) * 1000)
    segment.member_count = SegmentMember.objects.filter(segment_id=segment.id).count()
    segment.problem = None
    segment.save(update_fields=["rebuild_at", "built_at", "checked_at", "ahead", "build_ms", "member_count", "problem"])
    _after(moved)
    logger.info(
        "segments.built",
        extra=fields(segment=segment.key, ms=segment.build_ms, joined=moved.joined, left=moved.left),
    )
    return moved


def _tell_outer(segment: Segment, moved: Moved, now: datetime) -> None:
    """Let the segments that refer to this one look at who moved."""
    if not moved.any:
        return
    stored = stored_segments()
    outer = [item.id for item in stored.values() if segment.key in item.reads.segments and item.built_at is not None]
    if not outer:
        return
    if moved.joined + moved.left > MOST_FOLLOWED:
        Segment.objects.filter(id__in=outer).update(rebuild_at=now)
        return
    since = sql(
        "SELECT e.customer_id FROM event e WHERE e.type_id = ANY({types}) AND e.occurred_at = {now} AND e.ref = {id}",
        types=list(types.known(["segment.joined", "segment.left"]).values()),
        now=now,
        id=segment.id,
    )
    execute(mark_changed_sql(since))


def follow_changes(*, now: datetime) -> Followed:
    """Re-evaluate the customers that changed, had events or fell out of a window, for the segments concerned only."""
    with transaction.atomic():
        if not fetch(sql("SELECT pg_try_advisory_xact_lock({lock})", lock=_LOCK))[0][0]:
            return Followed()
        stored = {key: item for key, item in stored_segments().items() if not _is_due(item, now)}
        taken = _take(stored, now)
        if not taken:
            return Followed()
        execute(Sql("ANALYZE segment_scope"))
        return _Delta(stored, now).run(taken)


def _take(stored: dict[str, Stored], now: datetime) -> int:
    """Fill the temporary table `segment_scope` with who is to be looked at, and because of what."""
    with connection.cursor() as cursor:
        cursor.execute(_SCOPE)
        cursor.execute("DELETE FROM segment_scope")
    changed = execute(
        sql(
            """WITH picked AS MATERIALIZED (
                SELECT id FROM customer_change ORDER BY id LIMIT {limit} FOR UPDATE SKIP LOCKED
            ), gone AS (
                DELETE FROM customer_change c USING picked WHERE c.id = picked.id RETURNING c.customer_id
            ) INSERT INTO segment_scope (customer_id) SELECT DISTINCT customer_id FROM gone""",
            limit=BATCH,
        )
    )
    happened = queue.take(CONSUMER, BATCH)
    if happened:
        execute(
            Sql(
                "INSERT INTO segment_scope (customer_id, type_id) SELECT DISTINCT customer_id, type_id FROM taken_event"
            )
        )
    return changed + happened + _take_expired(stored, now)


def _take_expired(stored: dict[str, Stored], now: datetime) -> int:
    """Add, for each segment, whose events left one of its windows since it was last checked, or were dated ahead
    then.
    """
    clock = compiler.context([], now=now).clock
    ids = types.known({name for item in stored.values() for name in item.reads.events})
    selects = []
    for item in stored.values():
        if item.checked_at is None or item.checked_at >= now:
            continue
        before = replace(clock, now=item.checked_at)
        spans = [(name, before.opening(window), clock.opening(window)) for name, window in item.reads.windows]
        if item.ahead:
            spans += [(name, item.checked_at, now) for name in item.reads.events]
        selects += [_events_between(ids[name], item.id, after, until) for name, after, until in spans if name in ids]
    if not selects:
        return 0
    return execute(
        sql("INSERT INTO segment_scope (customer_id, segment_id) {selects}", selects=Sql(" UNION ").join(selects))
    )


def _types_ahead(type_ids: Iterable[int], now: datetime) -> set[int]:
    """Those types that have events dated later than now."""
    wanted = sorted(set(type_ids))
    if not wanted:
        return set()
    ahead = sql(
        "SELECT t FROM unnest({types}::int[]) t WHERE EXISTS"
        " (SELECT FROM event e WHERE e.type_id = t AND e.occurred_at > {now}::timestamptz)",
        types=wanted,
        now=now,
    )
    return {row[0] for row in fetch(ahead)}


def _events_between(type_id: int, segment_id: int, after: datetime, until: datetime) -> Sql:
    return sql(
        "SELECT e.customer_id, {segment_id}::int FROM event e WHERE e.type_id = {type_id}"
        " AND e.occurred_at > {after}::timestamptz AND e.occurred_at <= {until}::timestamptz",
        segment_id=segment_id,
        type_id=type_id,
        after=after,
        until=until,
    )


class _Delta:
    """One delta over the filled `segment_scope`: inner segments first, whose movers are looked at by the outer ones."""

    def __init__(self, stored: dict[str, Stored], now: datetime) -> None:
        self.stored, self.now = stored, now
        self.references = references(stored)
        self.context: Context = compiler.context((item.rule for item in stored.values()), now=now)
        self.type_ids = self.context.type_ids
        rows = fetch(Sql("SELECT DISTINCT segment_id, type_id FROM segment_scope"))
        self.everyone = (None, None) in rows
        self.types = {type_id for _, type_id in rows if type_id is not None}
        self.segments = {segment_id for segment_id, _ in rows if segment_id is not None}
        self.moved = Moved()
        self.done: dict[int, Moved] = {}

    def run(self, taken: int) -> Followed:
        concerned = {key for key, item in self.stored.items() if self._concerns(item)}
        concerned |= dependencies.users_of(self.references, concerned)
        mine = self._lock(concerned)
        ctes = fact_ctes(now=self.now) if mine else Sql("")
        for key in dependencies.ordered(self.references):
            item = self.stored[key]
            if item.id in mine and self._concerns(item):
                self._follow(item, ctes)
        busy = [self.stored[key] for key in concerned if self.stored[key].id not in mine]
        returned = self._give_back(busy)
        self._note()
        _after(self.moved)
        return Followed(0 if returned and not mine else taken, self.moved.joined, self.moved.left)

    def _concerns(self, item: Stored) -> bool:
        return (
            self.everyone
            or item.id in self.segments
            or bool(self._types(item) & self.types)
            or bool(self._inner(item) & self.segments)
        )

    def _types(self, item: Stored) -> set[int]:
        return {self.type_ids[name] for name in item.reads.events if name in self.type_ids}

    def _inner(self, item: Stored) -> set[int]:
        return {self.stored[key].id for key in item.reads.segments if key in self.stored}

    def _scope(self, item: Stored) -> Sql:
        return sql(
            "SELECT s.customer_id FROM segment_scope s WHERE (s.type_id IS NULL AND s.segment_id IS NULL)"
            " OR s.type_id = ANY({types}::int[]) OR s.segment_id = ANY({segments}::int[])",
            types=sorted(self._types(item)),
            segments=[item.id, *sorted(self._inner(item))],
        )

    def _lock(self, keys: set[str]) -> set[int]:
        """The ids of those that no build holds and whose rule is still the one that was read."""
        digests = {self.stored[key].id: self.stored[key].digest for key in keys}
        rows = Segment.objects.select_for_update(skip_locked=True).filter(id__in=digests).order_by("id")
        return {found for found, digest in rows.values_list("id", "digest") if digest == digests[found]}

    def _follow(self, item: Stored, ctes: Sql) -> None:
        scope = self._scope(item)
        condition = compiler.compiled(item.rule, replace(self.context, scope=scope))
        try:
            with transaction.atomic():
                _bound_work()
                moved = settle(
                    item.id,
                    condition,
                    now=self.now,
                    fact_ctes=ctes,
                    scope=scope,
                    touched=Sql("segment_scope (customer_id, segment_id)"),
                )
        except DatabaseError as error:
            _note_failure(item.id, error, self.now)
            return
        if moved.any:
            self.segments.add(item.id)
            self.moved = Moved(self.moved.joined + moved.joined, self.moved.left + moved.left)
        self.done[item.id] = moved

    def _note(self) -> None:
        """Write what changed about the segments, in one statement; a delta that moved nobody in no window writes
        nothing.

        `checked_at` of the others lags behind, which only makes their next look at windows a longer one.
        """
        ahead = _types_ahead(self.types | self._types_of(item for item in self.stored.values() if item.ahead), self.now)
        by_id = {item.id: item for item in self.stored.values()}
        rows = []
        for segment_id, moved in self.done.items():
            is_ahead = bool(self._types(by_id[segment_id]) & ahead)
            if moved.any or segment_id in self.segments or is_ahead != by_id[segment_id].ahead:
                rows.append((segment_id, moved.joined - moved.left, is_ahead))
        if rows:
            execute(
                sql(
                    "UPDATE segment s SET member_count = member_count + n.more, checked_at = {now}, ahead = n.ahead"
                    " FROM unnest({ids}::int[], {more}::int[], {ahead}::boolean[]) AS n (id, more, ahead)"
                    " WHERE s.id = n.id",
                    now=self.now,
                    ids=[row[0] for row in rows],
                    more=[row[1] for row in rows],
                    ahead=[row[2] for row in rows],
                )
            )

    def _types_of(self, items: Iterable[Stored]) -> set[int]:
        return {type_id for item in items for type_id in self._types(item)}

    def _give_back(self, busy: list[Stored]) -> int:
        """Queue again whom the segments that are being built could not look at; windows come up by themselves."""
        if not busy:
            return 0
        scopes = [sql("({scope})", scope=self._scope(item)) for item in busy]
        return execute(mark_changed_sql(Sql(" UNION ").join(scopes)))


def _is_due(item: Stored, now: datetime) -> bool:
    """Whether a full build comes anyway, which sees everything that a delta would."""
    return item.built_at is None or (item.rebuild_at is not None and item.rebuild_at <= now)


def _bound_work() -> None:
    """Limits of the current transaction's statements."""
    execute(
        sql(
            "SELECT set_config('statement_timeout', {time}, true), set_config('work_mem', {memory}, true)",
            time=BUILD_TIMEOUT,
            memory=BUILD_MEMORY,
        )
    )


def _note_failure(segment_id: int, error: DatabaseError, now: datetime) -> None:
    reason = str(error).partition("\n")[0]
    Segment.objects.filter(id=segment_id).update(problem=reason, rebuild_at=now + RETRY)
    logger.error("segments.build.failed", extra=fields(segment_id=segment_id, error=type(error).__name__))


def _after(moved: Moved) -> None:
    """Hint the flow engine, where there is one, that people joined or left."""
    if not moved.any:
        return
    try:
        get_chore("flows.pull")
    except KeyError:
        return
    hint("flows.pull")
