"""Finds conversions and works out their credit, as sets; repeating any of it changes nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from campaigns.attribution.crediting import credit_rows
from campaigns.attribution.goals import Aim, goal_events
from campaigns.attribution.method import methods
from campaigns.attribution.models import GoalCount
from campaigns.attribution.queries import aims
from loyalty.events import queue
from loyalty.kit.sql import Sql, execute, fetch, sql

CONSUMER = "attribution"
# Events taken per call: 20,000 took 0.5 s with three models.
BATCH = 20_000
# Events of a goal looked at per step of a search through the history.
SEARCH = 50_000
# The history is searched a second time when every write that began before the goal was known is surely over.
SEARCH_AGAIN = timedelta(minutes=15)


def subscribe() -> int:
    """Ask the timeline for exactly the events and touches that the goals name; how many subscriptions changed."""
    wanted = {type_id for aim in aims() for type_id in (aim.type_id, *aim.touch_type_ids)}
    query = sql(
        """SELECT t.name, t.id = ANY({wanted}::int[]) FROM event_type t
        WHERE (t.id = ANY({wanted}::int[])) <> EXISTS (
            SELECT FROM event_subscription s WHERE s.consumer = {consumer} AND s.type_id = t.id)""",
        wanted=sorted(wanted),
        consumer=CONSUMER,
    )
    names: dict[bool, list[str]] = {True: [], False: []}
    for name, is_wanted in fetch(query):
        names[is_wanted].append(name)
    if names[True]:
        queue.subscribe(CONSUMER, names[True])
    if names[False]:
        queue.unsubscribe(CONSUMER, names[False])
    return len(names[True]) + len(names[False])


@transaction.atomic
def convert() -> int:
    """Take waiting events: goal events become conversions, touches mark the conversions after them; how many events."""
    taken = queue.take(CONSUMER, BATCH)
    if not taken:
        return 0
    for aim in aims():
        events = goal_events(aim, "taken_event", "event_id", within=sql("TRUE"))
        execute(
            sql(
                """WITH fresh AS ({insert}), touched AS (
                    SELECT c.id FROM taken_event t JOIN conversion c ON c.customer_id = t.customer_id
                        AND c.occurred_at >= t.occurred_at AND c.occurred_at < t.occurred_at + {window}
                    WHERE t.type_id = ANY({touches}::int[]) AND c.goal_id = {goal})
                INSERT INTO stale_conversion (conversion_id) SELECT id FROM fresh UNION SELECT id FROM touched""",
                insert=_insert(aim, events),
                window=aim.window,
                touches=list(aim.touch_type_ids),
                goal=aim.goal_id,
            )
        )
    return taken


def _insert(aim: Aim, events: Sql) -> Sql:
    """Keep goal events as conversions; returns the ids of those that are new or differ from what was kept."""
    return sql(
        """INSERT INTO conversion (goal_id, event_id, customer_id, occurred_at, value)
        SELECT DISTINCT ON (event_id) {goal}::int, event_id, customer_id, occurred_at, value FROM ({events}) found
        ON CONFLICT (goal_id, event_id) DO UPDATE
            SET value = excluded.value, customer_id = excluded.customer_id, occurred_at = excluded.occurred_at
            WHERE (conversion.value, conversion.customer_id, conversion.occurred_at)
                IS DISTINCT FROM (excluded.value, excluded.customer_id, excluded.occurred_at)
        RETURNING id""",
        goal=aim.goal_id,
        events=events,
    )


def search(*, now: datetime) -> int:
    """Go on searching the history for goals that are new or were changed; how many steps were made (one per goal)."""
    known = aims()
    _forget([aim.goal_id for aim in known])
    return sum(_search(aim, now=now) for aim in known)


@transaction.atomic
def _search(aim: Aim, *, now: datetime) -> int:
    """One step for one goal: 1, or 0 when nothing is due or another process is at it."""
    GoalCount.objects.bulk_create(
        [GoalCount(goal_id=aim.goal_id, digest=aim.digest, due_at=now)], ignore_conflicts=True
    )
    count = GoalCount.objects.select_for_update(skip_locked=True).filter(goal_id=aim.goal_id).first()
    if count is None:
        return 0
    if count.digest != aim.digest:
        count.digest, count.cursor, count.search_no, count.due_at = aim.digest, None, 1, now
    if count.due_at is None or count.due_at > now:
        return 0
    end = _search_end(aim, count.cursor)
    _recount(aim, _between(count.cursor, end), credit_all=count.search_no == 1)
    count.cursor = end
    if end is None:
        count.due_at = now + SEARCH_AGAIN if count.search_no == 1 else None
        count.search_no += 1
    count.save()
    return 1


def _search_end(aim: Aim, start: datetime | None) -> datetime | None:
    """Where this step ends: after SEARCH events, or None at the end of the history."""
    query = sql(
        """SELECT e.occurred_at FROM event e WHERE e.type_id = {type} AND {range}
        ORDER BY e.occurred_at OFFSET {n} LIMIT 1""",
        type=aim.type_id,
        range=_between(start, None),
        n=SEARCH,
    )
    rows = fetch(query)
    return rows[0][0] if rows else None


def _between(start: datetime | None, end: datetime | None) -> Sql:
    """`(start, end]` over `e.occurred_at`, open where None."""
    pieces = [sql("TRUE")]
    if start is not None:
        pieces.append(sql("e.occurred_at > {start}", start=start))
    if end is not None:
        pieces.append(sql("e.occurred_at <= {end}", end=end))
    return sql(" AND ").join(pieces)


def _recount(aim: Aim, within: Sql, *, credit_all: bool) -> None:
    """Make the conversions of a stretch of time what the timeline says; `credit_all`: credit each of them anew."""
    events = goal_events(aim, "event", "id", within=within)
    own = sql("e.goal_id = {goal} AND ({within})", goal=aim.goal_id, within=within)
    gone = sql(
        """DELETE FROM conversion e WHERE {own} AND NOT EXISTS (
            SELECT FROM ({events}) found WHERE found.event_id = e.event_id) RETURNING e.id""",
        own=own,
        events=events,
    )
    # A statement of its own, to see credit that was being written while the first one waited for the conversion's lock.
    _drop_credit([row[0] for row in fetch(gone)])
    execute(
        sql(
            """WITH kept AS ({insert}) INSERT INTO stale_conversion (conversion_id)
            SELECT id FROM kept UNION SELECT e.id FROM conversion e WHERE {credit_all} AND {own}""",
            insert=_insert(aim, events),
            credit_all=credit_all,
            own=own,
        )
    )


def _drop_credit(conversion_ids: Sequence[int]) -> None:
    if conversion_ids:
        execute(sql("DELETE FROM credit WHERE conversion_id = ANY({ids})", ids=list(conversion_ids)))


@transaction.atomic
def _forget(goal_ids: Sequence[int]) -> None:
    """Drop what was kept for goals that are no more."""
    gone = fetch(
        sql("DELETE FROM goal_count WHERE goal_id <> ALL({goals}::int[]) RETURNING goal_id", goals=list(goal_ids))
    )
    if gone:
        ids = fetch(
            sql("DELETE FROM conversion WHERE goal_id = ANY({gone}) RETURNING id", gone=[row[0] for row in gone])
        )
        _drop_credit([row[0] for row in ids])


@transaction.atomic
def credit() -> int:
    """Work out the credit of conversions that wait for it, by every method; how many were taken from the list.

    Their rows are locked first and read in a later statement, so that of two runs over one conversion the later one
    sees what the earlier wrote, and the touches that made it wait.
    """
    taken = sql(
        """WITH picked AS MATERIALIZED (
            SELECT id FROM stale_conversion ORDER BY id LIMIT {batch} FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM stale_conversion s USING picked WHERE s.id = picked.id RETURNING s.conversion_id
        ) SELECT array_agg(DISTINCT conversion_id), count(*) FROM gone""",
        batch=BATCH,
    )
    ids, count = fetch(taken)[0]
    if not count:
        return 0
    execute(sql("SELECT FROM conversion WHERE id = ANY({ids}) ORDER BY id FOR NO KEY UPDATE", ids=ids))
    _drop_credit(ids)
    bounds = {
        goal_id: (first, last)
        for goal_id, first, last in fetch(
            sql(
                """SELECT goal_id, min(occurred_at), max(occurred_at) FROM conversion
                WHERE id = ANY({ids}) GROUP BY goal_id""",
                ids=ids,
            )
        )
    }
    for aim in aims():
        if aim.goal_id in bounds:
            first, last = bounds[aim.goal_id]
            chosen = sql(
                """SELECT id, customer_id, occurred_at, value FROM conversion
                WHERE id = ANY({ids}) AND goal_id = {goal}""",
                ids=ids,
                goal=aim.goal_id,
            )
            rows = credit_rows(aim, chosen, list(methods), window=aim.window, first=first, last=last)
            execute(
                sql(
                    """INSERT INTO credit (conversion_id, model, touch_no, message_id, dispatch_id, channel, touched_at,
                        share, value) {rows}""",
                    rows=rows,
                )
            )
    return int(count)
