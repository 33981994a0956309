"""Stored segments with their rules read: what builds, previews and dependency checks start from."""

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from campaigns.segments import tree
from campaigns.segments.models import Segment
from campaigns.segments.operator import Reads
from loyalty.kit.logs import fields
from loyalty.kit.problems import Problems

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored segment, its rule and what the rule depends on."""

    id: int
    key: str
    rule: tree.Rule
    reads: Reads
    digest: str
    ahead: bool
    built_at: datetime | None
    rebuild_at: datetime | None
    checked_at: datetime | None
    foreseen_until: datetime | None


def stored_segments() -> dict[str, Stored]:
    """Every segment by key; one query. One whose rule is no longer understood (an operator was removed) is left out."""
    found = {}
    for row in Segment.objects.order_by("key"):
        rule = rule_of(row.key, row.rule)
        if rule is not None:
            found[row.key] = Stored(
                id=row.id,
                key=row.key,
                rule=rule,
                reads=tree.reads(rule),
                digest=row.digest,
                ahead=row.ahead,
                built_at=row.built_at,
                rebuild_at=row.rebuild_at,
                checked_at=row.checked_at,
                foreseen_until=row.foreseen_until,
            )
    return found


def rule_of(key: str, rule: object) -> tree.Rule | None:
    """The stored rule, read; None (and a line in the log) when it is not understood any more."""
    try:
        return _parsed(json.dumps(rule, sort_keys=True))
    except Problems as error:
        logger.error("segments.rule.not_understood", extra=fields(segment=key, problems=len(error.problems)))
        return None


def references(stored: dict[str, Stored]) -> dict[str, frozenset[str]]:
    """Which segment refers to which."""
    return {key: item.reads.segments for key, item in stored.items()}


# Rules are small and change rarely; a delta every few seconds must not parse hundreds of them each time.
@lru_cache(maxsize=2048)
def _parsed(text: str) -> tree.Rule:
    return tree.parse(json.loads(text))
