"""Replay: what a draft of an earning rule would have given in the last weeks, by the very statements that give points.

Bookings of that time run through all active rules with the draft among them, in a transaction that is always taken
back. The rules get ids of their own, so that caps count only what the replay itself gave. Members have the tier of
today; what happened before the weeks, and what a budget has paid already, does not count.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql
from loyalty.program import award
from loyalty.program.receipts import rounds
from loyalty.program.rules import Rule, in_order, read
from loyalty.program.setup import Setup, prepared

LONGEST_WEEKS = 104
BATCH = 5_000
# The draft's own number; those of others are the stored ones below 0.
DRAFT = -2_000_000_000


@dataclass(frozen=True, slots=True)
class Given:
    """Points of a rule: what it really gave in that time, what it would have given, and what a point costs times the
    difference."""

    rule: str
    draft: bool
    actual: int
    replayed: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Replay:
    """`bookings` were looked at, of `known` in that time; `members` would have got points from the draft."""

    since: datetime
    known: int
    bookings: int
    members: int
    rules: list[Given]
    cost: Decimal


def replay(document: dict[str, Any], *, setup: Setup, weeks: int, now: datetime, most: int = 1_000_000) -> Replay:
    """Run the draft over the last weeks, at most `most` bookings, the latest; raises Problems for a draft that `apply`
    would refuse."""
    if not 1 <= weeks <= LONGEST_WEEKS:
        raise Problems([Problem("weeks", f"must be 1 to {LONGEST_WEEKS}")])
    rules, draft = _rules(document, setup)
    since = now - timedelta(weeks=weeks)
    kind = draft.part.kinds[0]
    chosen = [rule for rule in rules if kind in rule.part.kinds]
    window = sql(
        "FROM booking b JOIN member m ON m.id = b.member_id AND m.state = 'active' WHERE b.program_id = {program}"
        " AND b.kind = {kind} AND b.occurred_at > {since} AND b.occurred_at <= {now}",
        program=setup.id,
        kind=kind,
        since=since,
        now=now,
    )
    with transaction.atomic():
        rows = fetch(
            sql(
                "SELECT b.id, b.member_id, b.occurred_at, count(*) OVER () {window} ORDER BY b.occurred_at DESC, b.id"
                " LIMIT {most}",
                window=window,
                most=most,
            )
        )
        rows.reverse()
        given: dict[int, int] = {}
        members: set[int] = set()
        for ids in _batches(rows):
            for rule_id, points, theirs in _run(chosen, ids, setup, now):
                given[rule_id] = given.get(rule_id, 0) + points
                if rule_id == DRAFT:
                    members.update(theirs)
        transaction.set_rollback(True)
    actual = _actual([row[0] for row in rows])
    found = [_given(rule, given, actual, setup) for rule in chosen]
    known = rows[0][3] if rows else 0
    return Replay(since, known, len(rows), len(members), found, sum((one.cost for one in found), Decimal(0)))


def _rules(document: dict[str, Any], setup: Setup) -> tuple[list[Rule], Rule]:
    rule, part, parameters = read(document)
    wallet_id, _ = setup.wallet(rule.wallet)
    draft = prepared(DRAFT, wallet_id, rule, part, parameters, setup)
    others = [replace(one, id=-one.id, rest=None) for one in setup.rules if one.document.key != rule.key]
    return in_order([*others, draft]), draft


def _batches(rows: Sequence[tuple[Any, ...]]) -> Iterator[list[int]]:
    """Ids, in time's order, of each member at most one in a batch: what came before counts for the caps of the next."""
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        for turn in rounds([row[1] for row in part], [row[2] for row in part]):
            yield [part[place][0] for place in turn]


def _run(rules: Sequence[Rule], ids: list[int], setup: Setup, now: datetime) -> list[tuple[int, int, list[int]]]:
    return fetch(
        sql(
            "WITH {given} SELECT rule_id, sum(amount)::bigint, array_agg(DISTINCT member_id) FROM made GROUP BY 1",
            given=award.ctes(list(rules), ids, zone=setup.zone, now=now),
        )
    )


def _actual(booking_ids: Sequence[int]) -> dict[int, int]:
    """What each stored rule really gave for these bookings, returns aside."""
    rows = fetch(
        sql(
            "SELECT rule_id, sum(amount)::bigint FROM lot WHERE booking_id = ANY({ids}::bigint[])"
            " AND rule_id IS NOT NULL GROUP BY 1",
            ids=list(booking_ids),
        )
    )
    return dict(rows)


def _given(rule: Rule, given: dict[int, int], actual: dict[int, int], setup: Setup) -> Given:
    stored = (
        next((one.id for one in setup.rules if one.document.key == rule.document.key), 0)
        if rule.id == DRAFT
        else -rule.id
    )
    before, after = actual.get(stored, 0), given.get(rule.id, 0)
    value = setup.settings_of(rule.wallet_id).value
    return Given(
        rule.document.key, rule.id == DRAFT, before, after, ((after - before) * value).quantize(Decimal("0.01"))
    )
