"""What was won is written down with the winning itself, then handed over in sets; what fails is tried again."""

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.db import transaction

from loyalty.events import facts
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, execute, fetch, sql
from loyalty.play import people
from loyalty.play.prize import PrizeKind, Winner, prize_kinds, read

logger = logging.getLogger(__name__)

# Handed over in about a second where points are given.
BATCH = 5_000
LONGEST_WAIT = timedelta(days=1)
_WRITE = """WITH won AS (
    INSERT INTO prize_award (
        customer_id, origin, origin_id, ref, place, program_id, kind, prize, state, created_at, due_at)
    SELECT w.customer_id, {origin}, {origin_id}, w.ref, (p.value ->> 'place')::smallint, {program}::int,
        p.value -> 'prize' ->> 'type', p.value -> 'prize', 'due', w.at, {now}
    FROM unnest({refs}::bigint[], {customers}::bigint[], {times}::timestamptz[]) AS w (ref, customer_id, at)
    CROSS JOIN jsonb_array_elements({prizes}::jsonb) p ORDER BY w.ref, 5
    ON CONFLICT (origin, ref, place) DO NOTHING RETURNING id, customer_id, created_at, kind
), {fact} SELECT id FROM won ORDER BY id"""


@dataclass(frozen=True, slots=True)
class Origin:
    """What prizes are won with: the kind of definition, its id and key, the program that points come from."""

    kind: str
    id: int
    key: str
    program_id: int | None


@dataclass(frozen=True, slots=True)
class Win:
    """One win: `ref` is the attempt, sheet or play."""

    ref: int
    customer_id: int
    at: datetime


def write(
    origin: Origin, prizes: Sequence[tuple[int, Mapping[str, Any]]], wins: Sequence[Win], *, now: datetime
) -> list[int]:
    """Write down that each of these people won each of the prizes, given as (place, prize); the new awards.

    The same place of the same attempt is won once. The months of the wins have partitions.
    """
    if not prizes or not wins:
        return []
    fact = facts.ctes(
        "fact",
        "prize.won",
        sql(
            "SELECT customer_id, created_at, id, jsonb_build_object('with', {kind}::text, 'of', {key}::text, 'prize',"
            " kind) FROM won",
            kind=origin.kind,
            key=origin.key,
        ),
        ask=False,
    )
    rows = fetch(
        sql(
            _WRITE,
            origin=origin.kind,
            origin_id=origin.id,
            program=origin.program_id,
            refs=[win.ref for win in wins],
            customers=[win.customer_id for win in wins],
            times=[win.at for win in wins],
            prizes=json.dumps([{"place": place, "prize": prize} for place, prize in prizes]),
            now=now,
            fact=fact,
        )
    )
    return [row[0] for row in rows]


def give_due(*, now: datetime, ids: Collection[int] | None = None, limit: int = BATCH) -> int:
    """Hand over prizes that are due (of `ids` only, if given); how many were tried. Safe to run at the same time."""
    handed_by_people = [key for key, kind in prize_kinds.items() if kind.by_hand]
    only = Sql("") if ids is None else sql(" AND id = ANY({ids}::bigint[])", ids=list(ids))
    due = sql(
        "state = 'due' AND due_at <= {now} AND customer_id IS NOT NULL AND kind <> ALL({by_hand}::text[]){only}",
        now=now,
        by_hand=handed_by_people,
        only=only,
    )
    with transaction.atomic():
        found = fetch(
            sql("SELECT id, customer_id FROM prize_award WHERE {due} ORDER BY due_at, id LIMIT {n}", due=due, n=limit)
        )
        if not found:
            return 0
        people.lock({row[1] for row in found})
        rows = fetch(
            sql(
                "SELECT id, customer_id, md5('prize_award:' || id)::uuid, program_id, prize::text FROM prize_award"
                " WHERE id = ANY({ids}::bigint[]) AND {due} ORDER BY id FOR UPDATE SKIP LOCKED",
                ids=[row[0] for row in found],
                due=due,
            )
        )
        for (program_id, prize), group in groupby(sorted(rows, key=_set_of), key=_set_of):
            winners = [Winner(award_id, customer_id, key) for award_id, customer_id, key, _, _ in group]
            _give(json.loads(prize), winners, program_id or None, now)
    return len(rows)


def _set_of(row: tuple[Any, ...]) -> tuple[int, str]:
    return row[3] or 0, row[4]


def _give(prize: dict[str, Any], winners: list[Winner], program_id: int | None, now: datetime) -> None:
    reason = "there is none left, or the person is no member"
    given: dict[int, str | None] = {}
    try:
        kind, parameters = read(prize)
        with transaction.atomic():
            given = _given(kind, parameters, winners, program_id, now)
    except Problems as error:
        reason = "; ".join(str(problem) for problem in error.problems)
    except Exception:
        # One prize that cannot be given must not keep all others waiting; it is tried again later, and later again.
        logger.exception("play.prize.failed", extra={"prize": prize})
        reason = "an error; the log has more"
    if given:
        execute(
            sql(
                "UPDATE prize_award a SET state = 'given', given_at = {now}, reference = g.reference, reason = NULL,"
                " tries = a.tries + 1 FROM unnest({ids}::bigint[], {references}::text[]) AS g (id, reference)"
                " WHERE a.id = g.id",
                now=now,
                ids=list(given),
                references=list(given.values()),
            )
        )
    waiting = [one.award_id for one in winners if one.award_id not in given]
    if waiting:
        execute(
            sql(
                "UPDATE prize_award SET tries = least(tries + 1, 1000), reason = {reason},"
                " due_at = {now}::timestamptz + least(interval '1 minute' * 2 ^ least(tries, 20), {longest}::interval)"
                " WHERE id = ANY({ids}::bigint[])",
                reason=reason[:500],
                now=now,
                longest=LONGEST_WAIT,
                ids=waiting,
            )
        )


def _given(
    kind: PrizeKind, parameters: Any, winners: list[Winner], program_id: int | None, now: datetime
) -> dict[int, str | None]:
    return kind.give(parameters, winners, program_id=program_id, now=now)


@transaction.atomic
def settle(award_id: int, *, given: bool, reason: str, by: str, now: datetime) -> None:
    """Mark a prize as handed over by people, or refuse it for good with a reason; raises Problems."""
    if not given and not reason.strip():
        raise Problems([Problem("reason", "is missing", "say why, for the winner and for those who look later")])
    done = execute(
        sql(
            "UPDATE prize_award SET state = {state}, reason = {reason}, given_at = {at}::timestamptz"
            " WHERE id = {id} AND state = 'due'",
            state="given" if given else "refused",
            reason=f"{reason.strip()} ({by})" if reason.strip() else by,
            at=now if given else None,
            id=award_id,
        )
    )
    if not done:
        raise Problems([Problem("award", "is settled already, or unknown")])


def try_again(award_id: int, *, now: datetime) -> None:
    """Try to hand over a waiting prize at once."""
    execute(sql("UPDATE prize_award SET due_at = {now} WHERE id = {id} AND state = 'due'", now=now, id=award_id))
    give_due(now=now, ids=[award_id])
