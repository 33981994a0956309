"""The catalog of event names: learned at first sight, remembered by each process.

Names are folded to lower case (`names.fold`), here and in the intake. Ids may be remembered without end because a type
is never deleted; an id is remembered only when the transaction that read it has committed, for a type made in a
transaction that was rolled back does not exist.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import transaction

from loyalty.events import learning
from loyalty.events.names import FACTS, NAME_REMEDY, fold, is_name
from loyalty.kit import clock
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql

# Each type is an id that segments, flows and statistics list; more than this many is a name made of data by mistake.
MAX_TYPES = 5000
FULL = f"there are already {MAX_TYPES} event names"
FULL_REMEDY = "put what varies into the properties, not into the name"

_ids: dict[str, int] = {}


def type_id(name: str) -> int:
    """The id of the type with that name, made if it is new; raises Problems for a malformed name or a full catalog."""
    folded = fold(name)
    found = _ids.get(folded)
    if found is not None:
        return found
    return type_ids([folded])[folded]


def type_ids(names: Iterable[str]) -> dict[str, int]:
    """The ids of these names by folded name, new ones made; at most three queries. Raises Problems, all at once."""
    wanted = {fold(name) for name in names}
    malformed = [name for name in sorted(wanted) if not is_name(name)]
    if malformed:
        raise Problems(Problem("name", f"{name!r} is no event name", NAME_REMEDY) for name in malformed)
    found = learn(wanted, now=clock.now())
    if len(found) < len(wanted):
        raise Problems([Problem("name", FULL, FULL_REMEDY)])
    return found


def known(names: Iterable[str]) -> dict[str, int]:
    """The ids of those folded names that exist already."""
    wanted = set(names)
    found = {name: _ids[name] for name in wanted if name in _ids}
    missing = sorted(wanted - found.keys())
    if missing:
        rows = dict(fetch(sql("SELECT name, id FROM event_type WHERE name = ANY({names})", names=missing)))
        _remember(rows)
        found |= rows
    return found


def learn(names: Iterable[str], *, now: datetime) -> dict[str, int]:
    """Like `known`, but new names are added while the catalog has room; one without room is left out of the answer."""
    wanted = set(names)
    found = known(wanted)
    missing = sorted(wanted - found.keys())
    if not missing:
        return found
    # Sorted, so that two batches that bring the same new names wait for each other instead of deadlocking.
    fetch(
        sql(
            """
            WITH room AS (SELECT greatest({most} - count(*), 0) AS n FROM event_type WHERE NOT internal),
            fresh AS (
                SELECT name, name = ANY({facts}) AS internal FROM unnest({names}::text[]) AS name
                ORDER BY name LIMIT (SELECT n FROM room)
            ), made AS (
                INSERT INTO event_type (name, internal, first_seen_at)
                SELECT name, internal, {now} FROM fresh ORDER BY name
                ON CONFLICT (name) DO NOTHING RETURNING 1
            ) SELECT count(*) FROM made""",
            most=MAX_TYPES,
            facts=list(FACTS),
            names=missing,
            now=now,
        )
    )
    # A second read, because a name that another session added meanwhile is not in this statement's RETURNING.
    return found | known(missing)


def learn_facts(*, now: datetime) -> None:
    """Make sure that the system's own fact types exist and forget what was remembered of an earlier database."""
    _ids.clear()
    learning.forget()
    learn(FACTS, now=now)
    # A name that became a fact after it was seen from outside.
    execute(sql("UPDATE event_type SET internal = TRUE WHERE NOT internal AND name = ANY({facts})", facts=list(FACTS)))


def _remember(rows: Mapping[str, int]) -> None:
    transaction.on_commit(lambda: _ids.update(rows))
