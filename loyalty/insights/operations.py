"""Computing features and setting their parameters."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

from django.db import connection, transaction
from pydantic import ValidationError

from loyalty.customers.changes import mark_changed_sql
from loyalty.insights.catalog import parameters_of
from loyalty.insights.feature import features
from loyalty.insights.models import FeatureState
from loyalty.kit.problems import Problem, Problems, from_pydantic, with_suggestion
from loyalty.kit.sql import Sql, execute, fetch, sql

EVERY = timedelta(days=1)
# While there is nobody to say something about, looking again costs next to nothing, and the first import may be on.
SOON = timedelta(minutes=1)
# Sorts and hash tables over a million buyers must fit.
MEMORY = "256MB"
# People whose values are written at once; first computations of a large store and new parameters need several looks.
# Finding the values anew for each costs less than a table of what is still to be written, which would have to be erased
# and merged as well. A million buyers, four million purchases, two cores at load 4: 12 to 16 s a look.
SLICE = 250_000
# Keeps a computation and the erasure of a person apart, else what was just computed of an erased person would stay.
LOCK = 0x1251_6475


@dataclass(frozen=True, slots=True)
class Computed:
    """What a computation did: people with a value, and those whose value is new, other than before, or gone; whether
    `more` of these wait for the next look."""

    people: int
    changed: int
    more: bool = False


@dataclass(frozen=True, slots=True)
class Set:
    """`verdict` is created, updated or unchanged; `before` and `after` are the parameters."""

    verdict: str
    before: dict[str, Any] | None
    after: dict[str, Any]


def compute_due(*, now: datetime) -> int:
    """Compute every feature whose time has come, each in a transaction of its own; how many people changed."""
    changed = 0
    for key in features:
        done = compute(feature=key, now=now, only_due=True)
        changed += done.changed if done else 0
    return changed


@transaction.atomic
def compute(*, feature: str, now: datetime, only_due: bool = False) -> Computed | None:
    """Compute one feature for everybody and queue those whose values changed for the segments.

    None when it is not due, or another session is at it. Raises LookupError for an unknown feature.
    """
    part = features.get(feature)
    FeatureState.objects.bulk_create([FeatureState(key=feature)], ignore_conflicts=True)
    state = FeatureState.objects.select_for_update(skip_locked=True).filter(key=feature).first()
    if state is None or (only_due and state.due_at is not None and state.due_at > now):
        return None
    state.due_at = now + EVERY
    try:
        parameters = parameters_of(feature, state.parameters)
    except ValidationError as error:
        state.problem = "; ".join(str(problem) for problem in from_pydantic(error))
        state.save(update_fields=["due_at", "problem"])
        return None
    began = perf_counter()
    done = _store(feature, part.rows(parameters, now=now), now)
    state.computed_at, state.people, state.problem = now, done.people, None
    if done.more:
        state.due_at = now
    elif not done.people:
        state.due_at = now + SOON
    state.compute_ms = round((perf_counter() - began) * 1000)
    state.save()
    return done


@transaction.atomic
def set_parameters(*, feature: str, parameters: dict[str, Any], now: datetime) -> Set:
    """Set a feature's parameters as a whole (what is left out is as the feature has it), to be computed at the next
    look; raises Problems."""
    if feature not in features:
        known = ", ".join(features)
        raise Problems([Problem("key", f"unknown feature {feature!r}", f"known: {known}")])
    allowed = tuple(features.get(feature).parameters.model_fields)
    try:
        after = parameters_of(feature, parameters).model_dump(mode="json")
    except ValidationError as error:
        raise Problems(with_suggestion(problem, allowed) for problem in from_pydantic(error)) from None
    state = FeatureState.objects.select_for_update().filter(key=feature).first()
    before = parameters_of(feature, state.parameters).model_dump(mode="json") if state else None
    if state is None:
        FeatureState.objects.create(key=feature, parameters=after)
        return Set("created", None, after)
    if before == after:
        return Set("unchanged", before, after)
    state.parameters, state.due_at = after, None
    state.save()
    return Set("updated", before, after)


def keep_apart() -> None:
    """Wait until no computation runs, and let none begin before this transaction ends."""
    execute(sql("SELECT pg_advisory_xact_lock_shared({lock}::bigint)", lock=LOCK))


def _store(feature: str, rows: Sql, now: datetime) -> Computed:
    """Make the stored values those of `rows`, at most SLICE of them. Rows that are right already are not touched: on
    most days nearly all.

    The values are found before anything is written, because a statement that also writes is not run in parallel.
    """
    execute(sql("SELECT pg_advisory_xact_lock({lock}::bigint)", lock=LOCK))
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', %s, true)", [MEMORY])
    execute(sql("CREATE TEMP TABLE insight_found ON COMMIT DROP AS {rows}", rows=rows))
    execute("ANALYZE insight_found")
    changed = mark_changed_sql(Sql("SELECT customer_id FROM put UNION ALL SELECT customer_id FROM gone"))
    people, due, count = fetch(
        sql(
            """
            WITH due AS MATERIALIZED (
                SELECT coalesce(f.customer_id, o.customer_id) AS customer_id, f.customer_id IS NULL AS over,
                    f.label, f.numbers
                FROM insight_found f
                FULL JOIN (SELECT * FROM customer_insight WHERE feature = {feature}) o USING (customer_id)
                WHERE f.customer_id IS NULL OR o.customer_id IS NULL
                    OR (f.label, f.numbers) IS DISTINCT FROM (o.label, o.numbers)
                LIMIT {slice}
            ),
            put AS (
                INSERT INTO customer_insight (feature, customer_id, label, numbers, changed_at)
                SELECT {feature}, d.customer_id, d.label, d.numbers, {now}::timestamptz FROM due d WHERE NOT d.over
                ON CONFLICT (feature, customer_id) DO UPDATE
                SET label = EXCLUDED.label, numbers = EXCLUDED.numbers, changed_at = EXCLUDED.changed_at
                RETURNING customer_id
            ),
            gone AS (
                DELETE FROM customer_insight o USING due d
                WHERE o.feature = {feature} AND o.customer_id = d.customer_id AND d.over
                RETURNING o.customer_id
            ),
            told AS ({changed} RETURNING customer_id)
            SELECT (SELECT count(*) FROM insight_found), (SELECT count(*) FROM due), (SELECT count(*) FROM told)""",
            feature=feature,
            now=now,
            slice=SLICE,
            changed=changed,
        )
    )[0]
    execute("DROP TABLE insight_found")
    return Computed(people, count, due == SLICE)
