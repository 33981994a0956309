"""Writing segments: save, delete, and who may object to it."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from campaigns.segments import queries, refresh, tree, usage
from campaigns.segments.models import Foreseen, PastMember, Segment, SegmentDefinition, SegmentMember, SegmentSize
from campaigns.segments.scope import CONSUMER
from campaigns.segments.stored import stored_segments
from loyalty.events import queue
from loyalty.kit.chores import hint
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql

# With so few customers a full build takes some tens of milliseconds, so it is done while the caller waits.
SMALL = 50_000

# What stands under segments/ in the addresses of the API and is no key.
RESERVED = frozenset({"preview", "graph"})


@dataclass(frozen=True, slots=True)
class Saved:
    """`verdict` is created, updated or unchanged; `built` whether the members are those of the new rule already."""

    segment: Segment
    verdict: str
    built: bool
    before: dict[str, Any] | None


@transaction.atomic
def save_segment(
    *,
    key: str,
    rule: object,
    name: dict[str, str] | None = None,
    description: str | None = None,
    now: datetime,
    declared: Collection[str] = (),
    brought: Mapping[str, Collection[str]] | None = None,
) -> Saved:
    """Create or change a segment; raises Problems. `declared` are keys that the same call brings, so may be referred
    to, `brought` those of other things by kind.

    A new rule is built at once where there are few customers, else by the next `segments.refresh`.
    """
    parsed = queries.parsed(rule, declared=declared, brought=brought)
    problems = queries.problems_of(parsed, declared=declared, brought=brought)
    problems += queries.cycle_problems(key, parsed)
    if key in RESERVED:
        problems.append(Problem("key", f"{key!r} is an address of the API", "choose another key"))
    if problems:
        raise Problems(problems)
    plain = tree.document(parsed)
    found = Segment.objects.select_for_update().filter(key=key).first()
    before = queries.document_of(found) if found else None
    segment = found or Segment(key=key, created_at=now, digest="")
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    is_new_rule = segment.digest != digest
    segment.name, segment.description, segment.rule = name or {}, description or None, plain
    after = queries.document_of(segment)
    verdict = "created" if before is None else "unchanged" if before == after else "updated"
    if verdict == "unchanged":
        return Saved(segment, verdict, segment.built_at is not None, before)
    segment.digest, segment.updated_at = digest, now
    if is_new_rule:
        segment.rebuild_at = now
    segment.save()
    if is_new_rule:
        SegmentDefinition.objects.create(segment_id=segment.id, at=now, rule=plain)
        if _subscribe() & tree.event_names(parsed):
            segment.settle_xid = refresh.SETTLE_WANTED
            segment.save(update_fields=["settle_xid"])
        _build_soon(segment, now)
    return Saved(segment, verdict, segment.rebuild_at is None or segment.rebuild_at > now, before)


@transaction.atomic
def delete_segment(*, key: str) -> int:
    """Delete a segment with its members and its history, without facts: nobody left it. Raises Problems when something
    uses it.
    """
    segment = Segment.objects.select_for_update().filter(key=key).first()
    if segment is None:
        raise Problems([Problem("key", f"there is no segment {key!r}")])
    used = [f"{use.kind} {use.key}" for use in usage.all_uses(stored_segments()) if use.segment == key]
    if used:
        users = ", ".join(dict.fromkeys(used))
        raise Problems([Problem("key", f"{key!r} is used by {users}", "change these first")])
    count, _ = SegmentMember.objects.filter(segment_id=segment.id).delete()
    for about in (PastMember, SegmentSize, SegmentDefinition, Foreseen):
        about._default_manager.filter(segment_id=segment.id).delete()
    segment.delete()
    _subscribe()
    return count


def rebuild_segment(*, key: str, now: datetime) -> Segment:
    """Build the members anew: at once where there are few customers and no other session is at it, else soon."""
    if not Segment.objects.filter(key=key).update(rebuild_at=now):
        raise Problems([Problem("key", f"there is no segment {key!r}")])
    segment = Segment.objects.get(key=key)
    _build_soon(segment, now)
    segment.refresh_from_db()
    return segment


def _subscribe() -> set[str]:
    """Subscribe to exactly the event types that segments read; those that are new."""
    wanted = {name for item in stored_segments().values() for name in item.reads.events}
    subscribed = {
        row[0]
        for row in fetch(
            sql(
                "SELECT t.name FROM event_subscription s JOIN event_type t ON t.id = s.type_id"
                " WHERE s.consumer = {consumer}",
                consumer=CONSUMER,
            )
        )
    }
    if wanted - subscribed:
        queue.subscribe(CONSUMER, sorted(wanted - subscribed))
    if subscribed - wanted:
        queue.unsubscribe(CONSUMER, sorted(subscribed - wanted))
    return wanted - subscribed


def _build_soon(segment: Segment, now: datetime) -> None:
    """Build now where it is quick and everything the rule refers to is built; else leave it to the chore."""
    stored = stored_segments()
    inner = stored[segment.key].reads.segments if segment.key in stored else ()
    ready = segment.key in stored and all(
        key in stored and stored[key].built_at is not None and not _due(stored[key].rebuild_at, now) for key in inner
    )
    if ready and _few_customers() and refresh.build(segment.id, now=now) is not None:
        segment.refresh_from_db()
        return
    hint("segments.refresh")


def _due(rebuild_at: datetime | None, now: datetime) -> bool:
    return rebuild_at is not None and rebuild_at <= now


def _few_customers() -> bool:
    # Counted up to the limit: statistics of a fresh table say nothing.
    return int(fetch(sql("SELECT count(*) FROM (SELECT FROM customer LIMIT {most}) c", most=SMALL + 1))[0][0]) <= SMALL
