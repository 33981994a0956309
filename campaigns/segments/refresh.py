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

from django.db import DatabaseError, transaction

from campaigns.segments import compile as compiler
from campaigns.segments import dependencies, foresight, scope, tree
from campaigns.segments.membership import Moved, fact_ctes, note_sizes, settle
from campaigns.segments.models import Segment, SegmentMember
from campaigns.segments.operator import Context
from campaigns.segments.stored import Stored, references, rule_of, stored_segments
from loyalty.customers.changes import mark_changed_sql
from loyalty.events import types
from loyalty.kit.chores import get_chore, hint
from loyalty.kit.logs import fields
from loyalty.kit.sql import Sql, execute, fetch, sql

logger = logging.getLogger(__name__)

# An intake that was running when a segment subscribed to its event type did not queue its events for it. One more
# build, when those transactions are over, finds what they wrote; this is when that is looked at, and again.
SETTLE = timedelta(seconds=60)
# What `settle_xid` says before it is a transaction id: that the first build is to come, that it was made.
SETTLE_WANTED, SETTLE_BUILT = 0, -1
# A failed build is tried again after this time; until then the members stay as they were.
RETRY = timedelta(minutes=5)
# More than this many changed members of an inner segment are cheaper followed by building the outer one anew.
MOST_FOLLOWED = 20_000
# More than this many new members are told to the planner at once, not when autovacuum comes by (0.1 s).
ANALYZED_FROM = 1_000
BUILD_TIMEOUT = "60s"
# Hash tables of event subqueries over a million customers must fit, else PostgreSQL probes them row by row.
BUILD_MEMORY = "256MB"
_BUILT = [
    *("rebuild_at", "built_at", "checked_at", "ahead", "build_ms", "member_count", "problem"),
    *("foreseen_until", "settle_xid"),
]
# "segments" in hexadecimal, cut to 63 bits: only one session follows changes.
_LOCK = 0x7365676D656E7473


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


def foresee_next(*, now: datetime) -> bool:
    """Look ahead for one segment whose answers the clock changes and that is due for it; False when none is."""
    for item in stored_segments().values():
        if not _is_due(item, now) and foresight.is_overdue(item, now):
            try:
                with transaction.atomic():
                    _bound_work()
                    done = foresight.look_ahead(item.id, now=now)
            except DatabaseError as error:
                _note_failure(item.id, error, now)
                continue
            if done:
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
    settled = _settled(segment)
    condition = compiler.condition(rule, now=now)
    moved = settle(segment.id, condition, now=now, fact_ctes=fact_ctes(now=now))
    if moved.joined > ANALYZED_FROM:
        # Without fresh statistics the next deltas take this segment for empty and compare its members one by one.
        execute(Sql("ANALYZE segment_member"))
    _tell_outer(segment, moved, now)
    foresight.foresee(segment, rule, since=now, now=now)
    reads = tree.reads(rule)
    type_ids = types.known(reads.events).values() if reads.events else ()
    segment.ahead = bool(scope.types_ahead(type_ids, now))
    segment.rebuild_at = None if settled else now + SETTLE
    segment.built_at = segment.checked_at = now
    segment.build_ms = round((monotonic() - began) * 1000)
    segment.member_count = SegmentMember.objects.filter(segment_id=segment.id).count()
    segment.problem = None
    segment.save(update_fields=_BUILT)
    note_sizes([(segment.id, moved)], now=now)
    _after(moved)
    logger.info(
        "segments.built",
        extra=fields(segment=segment.key, ms=segment.build_ms, joined=moved.joined, left=moved.left),
    )
    return moved


def _settled(segment: Segment) -> bool:
    """Whether everybody whose events were not queued for this segment's new subscription has committed; moves
    `settle_xid` on. What they wrote is seen by the statements after this one.
    """
    if segment.settle_xid is None:
        return True
    if segment.settle_xid == SETTLE_WANTED:
        # The subscription may be this very transaction's, so the transactions that miss it are not all known yet.
        segment.settle_xid = SETTLE_BUILT
        return False
    if segment.settle_xid == SETTLE_BUILT:
        segment.settle_xid = int(fetch(Sql("SELECT pg_snapshot_xmax(pg_current_snapshot())::text"))[0][0])
    older = sql(
        "SELECT FROM pg_snapshot_xip(pg_current_snapshot()) AS x WHERE x::text::bigint < {xid} LIMIT 1",
        xid=segment.settle_xid,
    )
    if fetch(older):
        return False
    segment.settle_xid = None
    return True


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
        taken = scope.take(stored, now)
        if not taken:
            return Followed()
        execute(Sql("ANALYZE segment_scope"))
        return _Delta(stored, now).run(taken)


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
        # What was given back is no progress: counted as such, it would be taken again at once for as long as the
        # build lasts.
        return Followed(max(taken - returned, 0), self.moved.joined, self.moved.left)

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
        within = self._scope(item)
        condition = compiler.compiled(item.rule, replace(self.context, scope=within))
        try:
            with transaction.atomic():
                _bound_work()
                moved = settle(
                    item.id,
                    condition,
                    now=self.now,
                    fact_ctes=ctes,
                    scope=within,
                    touched=Sql("segment_scope (customer_id, segment_id)"),
                )
                foresight.foresee_changed(item, self.context, within)
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
        ahead = scope.types_ahead(
            self.types | self._types_of(item for item in self.stored.values() if item.ahead), self.now
        )
        by_id = {item.id: item for item in self.stored.values()}
        rows = []
        for segment_id, moved in self.done.items():
            is_ahead = bool(self._types(by_id[segment_id]) & ahead)
            if moved.any or segment_id in self.segments or is_ahead != by_id[segment_id].ahead:
                followed = not foresight.is_overdue(by_id[segment_id], self.now)
                rows.append((segment_id, moved.joined - moved.left, is_ahead, followed))
        if rows:
            execute(
                sql(
                    "UPDATE segment s SET member_count = member_count + n.more, ahead = n.ahead,"
                    " checked_at = CASE WHEN n.followed THEN greatest(checked_at, {now}) ELSE checked_at END"
                    " FROM unnest({ids}::int[], {more}::int[], {ahead}::boolean[], {followed}::boolean[])"
                    " AS n (id, more, ahead, followed) WHERE s.id = n.id",
                    now=self.now,
                    ids=[row[0] for row in rows],
                    more=[row[1] for row in rows],
                    ahead=[row[2] for row in rows],
                    followed=[row[3] for row in rows],
                )
            )
        note_sizes([(segment_id, moved) for segment_id, moved in self.done.items() if moved.any], now=self.now)

    def _types_of(self, items: Iterable[Stored]) -> set[int]:
        return {type_id for item in items for type_id in self._types(item)}

    def _give_back(self, busy: list[Stored]) -> int:
        """Queue again whom the segments that are being built could not look at; windows come up by themselves."""
        if not busy:
            return 0
        scopes = [sql("({within})", within=self._scope(item)) for item in busy]
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
