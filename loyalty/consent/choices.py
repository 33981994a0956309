"""What people chose besides consent: topics, a pause, how often; a log that only grows and the state it leads to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from psycopg.types.json import Jsonb

from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, fetch_values, sql

# A wish that nobody could tell from none.
MOST = 100
PERIODS = ("week", "month")


@dataclass(frozen=True, slots=True)
class Frequency:
    """At most so many messages of advertising per rolling week (7 days) or month (30 days)."""

    at_most: int
    per: str


@dataclass(frozen=True, slots=True)
class Choices:
    """What holds for one person. A topic that is missing was never chosen: it is wanted."""

    topics: Mapping[str, bool] = field(default_factory=dict)
    paused_until: datetime | None = None
    frequency: Frequency | None = None


def current(customer_id: int) -> Choices:
    """What holds for the person now; two queries."""
    topics = dict(fetch(sql("SELECT topic, wanted FROM topic_choice WHERE customer_id = {id}", id=customer_id)))
    rows = fetch(
        sql("SELECT paused_until, at_most, per FROM contact_preference WHERE customer_id = {id}", id=customer_id)
    )
    if not rows:
        return Choices(topics)
    until, at_most, per = rows[0]
    return Choices(topics, until, Frequency(at_most, per) if at_most else None)


def history(customer_id: int) -> list[dict[str, Any]]:
    """All that the person chose, latest first."""
    return fetch_values(
        sql(
            "SELECT kind, topic, value, occurred_at, recorded_at, source, evidence FROM choice_entry"
            " WHERE customer_id = {id} ORDER BY occurred_at DESC, id DESC",
            id=customer_id,
        )
    )


@transaction.atomic
def save(
    *, customer_id: int, choices: Choices, source: str, now: datetime, evidence: Mapping[str, Any] | None = None
) -> int:
    """Bring the person's choices to these; how many changed. A topic that is not named stays as it was.

    A topic that was never chosen and is wanted is no change. Nothing is written about somebody who is gone. Raises
    Problems for a frequency that is none.
    """
    problems = _problems(choices)
    if problems:
        raise Problems(problems)
    # The send guard takes the same lock: no message that this choice forbids starts after its commit.
    if not fetch(sql("SELECT id FROM customer WHERE id = {id} FOR UPDATE", id=customer_id)):
        return 0
    held = current(customer_id)
    until = choices.paused_until if choices.paused_until and choices.paused_until > now else None
    topics = {key: wanted for key, wanted in choices.topics.items() if held.topics.get(key, True) != wanted}
    changes: list[tuple[str, str, Any]] = [("topic", key, wanted) for key, wanted in sorted(topics.items())]
    if until != held.paused_until and (until or _lasts(held.paused_until, now)):
        changes.append(("pause", "", {"until": until.isoformat()} if until else None))
    if choices.frequency != held.frequency:
        wish = choices.frequency
        changes.append(("frequency", "", {"at_most": wish.at_most, "per": wish.per} if wish else None))
    if not changes:
        return 0
    _append(customer_id, changes, source=source, evidence=evidence, now=now)
    _hold(customer_id, topics, Choices({}, until, choices.frequency), now)
    return len(changes)


def _problems(choices: Choices) -> list[Problem]:
    wish = choices.frequency
    if wish is None:
        return []
    problems = []
    if not 1 <= wish.at_most <= MOST:
        problems.append(Problem("frequency.at_most", f"{wish.at_most} is out of range", f"1 to {MOST}"))
    if wish.per not in PERIODS:
        problems.append(Problem("frequency.per", f"{wish.per!r} is unknown", f"one of {', '.join(PERIODS)}"))
    return problems


def _lasts(until: datetime | None, now: datetime) -> bool:
    return until is not None and until > now


def _append(
    customer_id: int,
    changes: Sequence[tuple[str, str, Any]],
    *,
    source: str,
    evidence: Mapping[str, Any] | None,
    now: datetime,
) -> None:
    execute(
        sql(
            """INSERT INTO choice_entry (customer_id, kind, topic, value, occurred_at, recorded_at, source, evidence)
            SELECT {customer}, kind, topic, value, {now}, {now}, {source}, {evidence}
            FROM unnest({kinds}::text[], {topics}::text[], {given}::jsonb[]) AS c (kind, topic, value)""",
            customer=customer_id,
            kinds=[kind for kind, _, _ in changes],
            topics=[topic for _, topic, _ in changes],
            given=[Jsonb(value) if value is not None else None for _, _, value in changes],
            source=source,
            evidence=Jsonb(dict(evidence)) if evidence else None,
            now=now,
        )
    )


def _hold(customer_id: int, topics: Mapping[str, bool], rest: Choices, now: datetime) -> None:
    wish = rest.frequency
    execute(
        sql(
            """WITH topics AS (
                INSERT INTO topic_choice (customer_id, topic, wanted, since)
                SELECT {customer}, topic, wanted, {now} FROM unnest({keys}::text[], {wanted}::boolean[])
                    AS t (topic, wanted)
                ON CONFLICT (customer_id, topic) DO UPDATE SET wanted = excluded.wanted, since = excluded.since
            ), rest AS (
                INSERT INTO contact_preference (customer_id, paused_until, at_most, per, since)
                SELECT {customer}, {until}::timestamptz, {most}::smallint, {per}::text, {now}
                WHERE {some}
                ON CONFLICT (customer_id) DO UPDATE SET paused_until = excluded.paused_until,
                    at_most = excluded.at_most, per = excluded.per, since = excluded.since
            ), none AS (
                DELETE FROM contact_preference WHERE customer_id = {customer} AND NOT {some}
            ) INSERT INTO customer_change (customer_id) VALUES ({customer})""",
            customer=customer_id,
            keys=list(topics),
            wanted=list(topics.values()),
            until=rest.paused_until,
            most=wish.at_most if wish else None,
            per=wish.per if wish else None,
            some=rest.paused_until is not None or wish is not None,
            now=now,
        )
    )
