"""Rules whose answer the clock changes without any event ("birthday in the next 7 days"), followed to the instant.

Once an hour all customers are asked which of them will answer otherwise within the next hour; these stand in
`segment_foreseen`, and each tick asks only them. A condition is asked at two instants, never the whole rule: two
conditions that change in opposite ways would hide each other.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction

from campaigns.segments import compile as compiler
from campaigns.segments import tree
from campaigns.segments.models import Segment
from campaigns.segments.operator import Context, operators
from campaigns.segments.stored import Stored, rule_of
from loyalty.kit.periods import Period
from loyalty.kit.sql import Sql, execute, sql

LONGEST = timedelta(hours=1)
SHORTEST = timedelta(minutes=1)


def horizon(rule: tree.Rule) -> timedelta:
    """How far ahead to look: an hour, less where a condition is over a shorter time, so that none changes twice."""
    seconds = [period.seconds for leaf in _clocked(rule) for period in _periods(leaf.source) if period.seconds]
    return min([LONGEST, *(max(SHORTEST, timedelta(seconds=one)) for one in seconds)])


def is_overdue(item: Stored, now: datetime) -> bool:
    """Whether the clock may have changed answers that nobody foresaw."""
    return item.reads.clock and (item.foreseen_until is None or item.foreseen_until < now)


def look_ahead(segment_id: int, *, now: datetime) -> bool:
    """Foresee one segment's next changes, and those since it was last checked, from all customers; False when another
    session holds it or it needs none.
    """
    with transaction.atomic():
        segment = Segment.objects.select_for_update(skip_locked=True).filter(id=segment_id).first()
        rule = rule_of(segment.key, segment.rule) if segment else None
        if segment is None or rule is None or segment.checked_at is None:
            return False
        foresee(segment, rule, since=min(segment.checked_at, now), now=now)
        segment.save(update_fields=["foreseen_until"])
    return True


def foresee(segment: Segment, rule: tree.Rule, *, since: datetime, now: datetime) -> None:
    """Note who may change between `since` and the horizon; sets `foreseen_until`, which the caller saves."""
    execute(sql("DELETE FROM segment_foreseen WHERE segment_id = {id}", id=segment.id))
    segment.foreseen_until = None
    if not tree.reads(rule).clock:
        return
    segment.foreseen_until = now + horizon(rule)
    instants = sorted({since, now, segment.foreseen_until})
    context = compiler.context([rule], now=now)
    _note(segment.id, _changes(rule, context, instants), Sql(""))


def foresee_changed(item: Stored, context: Context, scope: Sql) -> None:
    """Note which of the customers in scope, whose data changed, may change again before the next look ahead."""
    now = context.clock.instant()
    if not item.reads.clock or item.foreseen_until is None or item.foreseen_until <= now:
        return
    changes = _changes(item.rule, replace(context, scope=scope), [now, item.foreseen_until])
    _note(item.id, changes, sql(" AND c.id IN ({scope})", scope=scope))


def crossed(items: Iterable[Stored], now: datetime) -> Iterator[Sql]:
    """Selects (customer_id, segment_id) of those foreseen whose answer changed since the segment was last checked."""
    for item in items:
        if not item.reads.clock or item.checked_at is None or item.checked_at >= now:
            continue
        scope = sql("SELECT f.customer_id FROM segment_foreseen f WHERE f.segment_id = {id}", id=item.id)
        context = compiler.context([item.rule], now=now, scope=scope)
        yield sql(
            "SELECT c.id, {id}::int FROM customer c WHERE c.id IN ({scope}) AND ({changes})",
            id=item.id,
            scope=scope,
            changes=_changes(item.rule, context, [item.checked_at, now]),
        )


def _note(segment_id: int, changes: Sql, within: Sql) -> None:
    execute(
        sql(
            "INSERT INTO segment_foreseen (segment_id, customer_id)"
            " SELECT {id}::int, c.id FROM customer c WHERE ({changes}){within} ON CONFLICT DO NOTHING",
            id=segment_id,
            changes=changes,
            within=within,
        )
    )


def _changes(rule: tree.Rule, context: Context, instants: list[datetime]) -> Sql:
    """Whether any condition that the clock changes answers otherwise at one of the instants than at the one before."""
    found = []
    for leaf in _clocked(rule):
        answers = [
            sql("(({holds}) IS TRUE)", holds=compiler.compiled(leaf, _at(context, instant))) for instant in instants
        ]
        found += [sql("{a} <> {b}", a=a, b=b) for a, b in zip(answers, answers[1:], strict=False)]
    return Sql(" OR ").join(found) if found else Sql("FALSE")


def _at(context: Context, instant: datetime) -> Context:
    return replace(context, clock=replace(context.clock, now=instant))


def _clocked(rule: tree.Rule) -> list[tree.Leaf]:
    return [leaf for leaf in tree.leaves(rule) if operators.get(leaf.operator).reads(leaf.parameters).clock]


def _periods(source: object) -> Iterator[Period]:
    """Every length of time that is written anywhere in a condition."""
    if isinstance(source, dict):
        for value in source.values():
            yield from _periods(value)
    elif isinstance(source, list):
        for value in source:
            yield from _periods(value)
    elif isinstance(source, str):
        try:
            yield Period.parse(source)
        except ValueError:
            return
