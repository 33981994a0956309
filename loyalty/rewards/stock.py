"""Stock: pieces, places at an hour and codes, taken and given back under the rows' own locks.

The checks of the tables refuse what would be one too many; who comes first gets the last one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction

from loyalty.events import facts, partitions
from loyalty.kit.digests import address_digest
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, execute, fetch, sql
from loyalty.rewards.models import Reward

LONGEST_CODE = 500
MOST_CODES = 1_000_000


@dataclass(frozen=True, slots=True)
class Added:
    """Codes that are new, and those that were there already."""

    added: int
    known: int


def lock(reward_ids: Sequence[int]) -> None:
    """Hold the rewards until the transaction ends, in the order of ids; only needed for several at once."""
    fetch(
        sql(
            "SELECT id FROM reward WHERE id = ANY({ids}::int[]) ORDER BY id FOR NO KEY UPDATE",
            ids=sorted(set(reward_ids)),
        )
    )


def take(pieces: Mapping[int, int], *, where: str = "reward") -> None:
    """Take so many pieces of these rewards (id -> number); raises Problems when one has too few left."""
    if len(pieces) > 1:
        lock(list(pieces))
    taken = execute(
        sql(
            "UPDATE reward r SET taken = r.taken + p.n FROM {pieces} WHERE r.id = p.id AND r.state = 'active'"
            " AND (r.stock IS NULL OR r.taken + p.n <= r.stock)",
            pieces=_pieces(pieces),
        )
    )
    if taken < len(pieces):
        raise Problems([sold_out(where)])


def sold_out(where: str = "reward") -> Problem:
    """The last one went to somebody else."""
    return Problem(where, "is sold out", "choose another, or wish for it to be told when it is back")


def give_back(pieces: Mapping[int, int], *, now: datetime) -> None:
    """Put so many pieces back; who wishes for one that was sold out is told."""
    if not pieces:
        return
    lock(list(pieces))
    rows = fetch(
        sql(
            "UPDATE reward r SET taken = r.taken - p.n FROM {pieces} WHERE r.id = p.id"
            " RETURNING r.id, r.taken + p.n >= r.stock",
            pieces=_pieces(pieces),
        )
    )
    tell_back([reward_id for reward_id, was_out in rows if was_out], now=now)


def _pieces(pieces: Mapping[int, int]) -> Sql:
    return sql("unnest({ids}::int[], {numbers}::int[]) AS p (id, n)", ids=list(pieces), numbers=list(pieces.values()))


def tell_back(reward_ids: Sequence[int], *, now: datetime) -> int:
    """Tell the timeline of everybody who wishes for one of these that it is back; how many people."""
    if not reward_ids:
        return 0
    partitions.ensure(now, now)
    return facts.write(
        "reward.back_in_stock",
        sql(
            "SELECT w.customer_id, {now}::timestamptz, r.id, jsonb_build_object('reward', r.key, 'name', r.name,"
            " 'left', r.stock - r.taken) FROM wish w JOIN reward r ON r.id = w.reward_id"
            " WHERE r.id = ANY({ids}::int[]) AND r.state = 'active'",
            now=now,
            ids=list(reward_ids),
        ),
    )


def take_place(slot_id: int, number: int) -> None:
    """Take places at an hour; raises Problems when there are too few."""
    query = sql(
        "UPDATE reward_slot SET taken = taken + {n} WHERE id = {id} AND taken + {n} <= places", n=number, id=slot_id
    )
    if not execute(query):
        raise Problems([Problem("slot", "has no room left", "choose another time")])


def give_place_back(slot_id: int, number: int) -> None:
    execute(sql("UPDATE reward_slot SET taken = greatest(0, taken - {n}) WHERE id = {id}", n=number, id=slot_id))


def assign_codes(reward_id: int, redemption_ids: Sequence[int], *, each: int, now: datetime) -> int:
    """Give `each` free codes of the reward to these redemptions, the oldest first; how many redemptions got all."""
    if not redemption_ids:
        return 0
    given = execute(
        sql(
            "WITH free AS MATERIALIZED (SELECT id FROM reward_code WHERE reward_id = {reward}"
            " AND redemption_id IS NULL AND (expires_at IS NULL OR expires_at > {now}) ORDER BY id LIMIT {n}"
            " FOR UPDATE SKIP LOCKED), numbered AS (SELECT id, row_number() OVER (ORDER BY id) AS place FROM free)"
            " UPDATE reward_code c SET redemption_id = ({ids}::bigint[])[(n.place - 1) / {each} + 1]"
            " FROM numbered n WHERE c.id = n.id",
            reward=reward_id,
            now=now,
            n=each * len(redemption_ids),
            each=each,
            ids=list(redemption_ids),
        )
    )
    return given // each


def free_codes(reward_id: int, *, now: datetime) -> int:
    """Codes that somebody can still get."""
    return fetch(
        sql(
            "SELECT count(*) FROM reward_code WHERE reward_id = {id} AND redemption_id IS NULL"
            " AND (expires_at IS NULL OR expires_at > {now})",
            id=reward_id,
            now=now,
        )
    )[0][0]


def _digest(code: str) -> bytes:
    # Keyed, so that the codes cannot be found out by trying; as people write them, so that `aB` and `ab` differ.
    return address_digest(code.encode().hex(), key=settings.ADDRESS_KEY)


@transaction.atomic
def add_codes(*, reward_id: int, codes: Sequence[str], now: datetime, expires_at: datetime | None = None) -> Added:
    """Add codes to a reward that brings some; its stock grows with them. Raises Problems with every bad line."""
    row = Reward.objects.select_for_update(no_key=True).filter(id=reward_id).first()
    if row is None or not row.definition.get("codes"):
        raise Problems([Problem("reward", "brings no codes", "set codes: true in its document")])
    clean = [code.strip() for code in codes]
    problems = [
        Problem(f"codes[{place}]", f"is longer than {LONGEST_CODE} characters")
        for place, code in enumerate(clean)
        if len(code) > LONGEST_CODE
    ]
    if not any(clean):
        problems.append(Problem("codes", "there is no code", "one a line"))
    if len(clean) > MOST_CODES:
        problems.append(Problem("codes", f"are more than {MOST_CODES:,}", "add them in several parts"))
    if expires_at is not None and expires_at <= now:
        problems.append(Problem("expires_at", "has passed", "give a later time, or none"))
    if problems:
        raise Problems(problems[:100])
    given = [code for code in clean if code]
    added = execute(
        sql(
            "INSERT INTO reward_code (reward_id, code, digest, expires_at, added_at)"
            " SELECT {reward}, c.code, c.digest, {expires}::timestamptz, {now}"
            " FROM unnest({codes}::text[], {digests}::bytea[]) WITH ORDINALITY AS c (code, digest, place)"
            " ORDER BY c.place ON CONFLICT (reward_id, digest) DO NOTHING",
            reward=reward_id,
            expires=expires_at,
            now=now,
            codes=given,
            digests=[_digest(code) for code in given],
        )
    )
    _grow(row, added, now)
    return Added(added, len(given) - added)


@transaction.atomic
def restock(*, reward_id: int, pieces: int, now: datetime) -> int:
    """Add pieces to a reward that has a stock; how many are left then. Raises Problems."""
    row = Reward.objects.select_for_update(no_key=True).filter(id=reward_id).first()
    if row is None or row.stock is None or row.definition.get("codes"):
        raise Problems([Problem("reward", "has no stock that could grow", "set its stock, or add codes to it")])
    if not 0 < pieces <= 1_000_000:
        raise Problems([Problem("pieces", "must be between 1 and 1,000,000")])
    return _grow(row, pieces, now)


def _grow(row: Reward, pieces: int, now: datetime) -> int:
    """The stock of the locked row grows, in its document too; how many are left."""
    before = row.stock or 0
    row.stock = before + pieces
    row.updated_at = now
    if not row.definition.get("codes"):
        row.definition = {**row.definition, "stock": row.stock}
    row.save(update_fields=["stock", "definition", "updated_at"])
    if pieces and before <= row.taken:
        tell_back([row.id], now=now)
    return row.stock - row.taken


def retire_codes(*, now: datetime, limit: int = 50_000) -> int:
    """Take codes out whose time is up and that nobody got, and out of the stock too; how many."""
    with transaction.atomic():
        rows = fetch(
            sql(
                "SELECT DISTINCT reward_id FROM reward_code WHERE redemption_id IS NULL AND expires_at <= {now}",
                now=now,
            )
        )
        if not rows:
            return 0
        lock([row[0] for row in rows])
        gone = fetch(
            sql(
                "DELETE FROM reward_code WHERE id IN (SELECT id FROM reward_code WHERE redemption_id IS NULL"
                " AND expires_at <= {now} ORDER BY id LIMIT {limit} FOR UPDATE SKIP LOCKED) RETURNING reward_id",
                now=now,
                limit=limit,
            )
        )
        counts: dict[int, int] = {}
        for (reward_id,) in gone:
            counts[reward_id] = counts.get(reward_id, 0) + 1
        execute(
            sql(
                "UPDATE reward r SET stock = greatest(r.taken, r.stock - p.n) FROM {pieces} WHERE r.id = p.id",
                pieces=_pieces(counts),
            )
        )
    return len(gone)
