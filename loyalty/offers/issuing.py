"""Codes come into being: made, brought in a file, handed to people. Any number in a handful of statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from loyalty.events import facts, partitions
from loyalty.kit.periods import Period, local
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, execute, fetch, sql
from loyalty.offers import codes, names, queries
from loyalty.offers.definition import PoolDocument
from loyalty.offers.models import VoucherPool

# Handed out in one statement; more would hold its locks for longer than a second.
BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A voucher for a customer (None: for whoever has it). The same `key` gets the same voucher again.

    `amount` is the money on a gift card, where it is not the pool's.
    """

    customer_id: int | None
    key: UUID | None = None
    amount: Decimal | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """The code that somebody got."""

    voucher_id: int
    code: str
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Imported:
    """What a list of codes brought: `doubles` were there before, or twice in the list."""

    accepted: int
    doubles: int
    rejected: list[tuple[int, list[Problem]]]


def usable(pool: VoucherPool, *, now: datetime) -> list[Problem]:
    """Why nothing can be issued from the pool; nothing when it can."""
    document = queries.document_of("voucher_pool", pool.definition)
    if document.codes.type == "shared":
        return [Problem("pool", f"{pool.key} has one code for all", f"hand out the code {document.codes.code}")]
    if pool.state != "active":
        return [Problem("pool", f"{pool.key} is paused", "set its state to active")]
    ends = end_of(document)
    if ends is not None and ends <= now:
        return [Problem("pool", f"{pool.key} ended on {document.valid.end}", "set valid.to to a later day")]
    return []


def zone_of(document: PoolDocument) -> str:
    """The time zone of a pool's days."""
    return document.timezone or settings.TIME_ZONE


def end_of(document: PoolDocument) -> datetime | None:
    """The end of the pool's last day."""
    last = document.valid.end
    return None if last is None else local(last + timedelta(days=1), time(0), zone_of(document))


def start_of(document: PoolDocument) -> datetime | None:
    """The begin of the pool's first day."""
    first = document.valid.start
    return None if first is None else local(first, time(0), zone_of(document))


def valid_until(document: PoolDocument, *, now: datetime) -> datetime | None:
    """Until when a voucher is good that is issued now."""
    ends = [] if (end := end_of(document)) is None else [end]
    if document.valid.after_issue:
        ends.append(Period.parse(document.valid.after_issue).add_to(now))
    return min(ends, default=None)


def ctes(name: str, pool: VoucherPool, rows: Sql, *, source: str, now: datetime) -> Sql:
    """The CTEs, comma separated and named from `name`, that issue a voucher of the pool for each of `rows`.

    `rows` selects customer_id, key (uuid: once for each), amount, valid_until and origin_id. Who gets one is in `name`
    (id, customer_id, code, valid_until, available); those for whom no code was in stock are missing. For a pool that
    `usable` has found so; the months of `now` must have partitions.
    """
    document = queries.document_of("voucher_pool", pool.definition)
    is_gift = document.benefit.type == "gift_card"
    values = {
        "name": Sql(name),
        "rows": rows,
        "pool": pool.pk,
        "now": now,
        "start": start_of(document),
        "until": valid_until(document, now=now),
        "uses": None if is_gift else document.codes.uses,
        "money": document.benefit.amount if is_gift else Decimal(0),
        "gift": Sql("TRUE" if is_gift else "FALSE"),
        "source": source,
        "random": codes.random_sql(),
    }
    if document.codes.type == "generated":
        values["code"] = codes.code_sql(document.codes.pattern, Sql("w.random"))
        values["digest"] = codes.digest_sql(Sql("n.code"))
        made = sql(_GENERATED, **values)
    else:
        made = sql(_STOCKED, **values)
    return sql("{made}{gifts}, {facts}", made=made, gifts=_gifts(name, now) if is_gift else Sql(""), facts=_told(
        name, pool, document, now))  # fmt: skip


_WANTED = """{name}_wanted AS MATERIALIZED (
    SELECT w.customer_id, w.key::uuid AS key, w.amount::numeric AS amount, w.valid_until::timestamptz AS valid_until,
        w.origin_id::bigint AS origin_id, {random} AS random, row_number() OVER () AS n
    FROM ({rows}) AS w (customer_id, key, amount, valid_until, origin_id)
    WHERE w.key IS NULL OR NOT EXISTS (SELECT FROM voucher v WHERE v.issue_key = w.key::uuid)
)"""
_GENERATED = (
    _WANTED
    + """, {name}_new AS MATERIALIZED (SELECT w.*, {code} AS code FROM {name}_wanted w), {name} AS (
    INSERT INTO voucher (pool_id, digest, code, state, customer_id, uses_max, valid_from, valid_until, issued_at,
        issue_key, origin_id, source, available, created_at)
    SELECT {pool}, {digest}, n.code, 1, n.customer_id, {uses}::int, {start}::timestamptz,
        coalesce(n.valid_until, {until}::timestamptz), {now}, n.key, n.origin_id, {source}::text,
        CASE WHEN {gift} THEN coalesce(n.amount, {money}) ELSE 0 END, {now}
    FROM {name}_new n ORDER BY n.n
    ON CONFLICT (issue_key) WHERE issue_key IS NOT NULL DO NOTHING
    RETURNING id, customer_id, issue_key, code, valid_until, available
)"""
)
# Codes in stock were brought with their own money and end, which go before those of the pool.
_STOCKED = (
    _WANTED
    + """, {name}_taken AS MATERIALIZED (
    SELECT s.id, row_number() OVER (ORDER BY s.id) AS n FROM (
        SELECT v.id FROM voucher v WHERE v.pool_id = {pool} AND v.state = 0 ORDER BY v.id
        LIMIT (SELECT count(*) FROM {name}_wanted) FOR UPDATE SKIP LOCKED) s
), {name} AS (
    UPDATE voucher v SET state = 1, customer_id = n.customer_id, uses_max = {uses}::int,
        valid_from = coalesce(v.valid_from, {start}::timestamptz),
        valid_until = least(v.valid_until, coalesce(n.valid_until, {until}::timestamptz)), issued_at = {now},
        issue_key = n.key, origin_id = n.origin_id, source = {source}::text,
        available = CASE WHEN NOT {gift} THEN 0 WHEN v.available > 0 THEN v.available
            ELSE coalesce(n.amount, {money}) END
    FROM {name}_wanted n JOIN {name}_taken t ON t.n = n.n WHERE v.id = t.id
    RETURNING v.id, v.customer_id, v.issue_key, v.code, v.valid_until, v.available
)"""
)


def _gifts(name: str, now: datetime) -> Sql:
    return sql(
        ", {name}_money AS (INSERT INTO gift_entry (voucher_id, from_account, to_account, amount, at)"
        " SELECT id, {sold}, {available}, available, {now} FROM {name} WHERE available > 0)",
        name=Sql(name),
        sold=names.SOLD,
        available=names.AVAILABLE,
        now=now,
    )


def _told(name: str, pool: VoucherPool, document: PoolDocument, now: datetime) -> Sql:
    rows = sql(
        "SELECT customer_id, {now}::timestamptz, id, jsonb_strip_nulls(jsonb_build_object('pool', {pool}::text,"
        " 'type', {type}::text, 'code', code, 'valid_until', valid_until,"
        " 'amount', CASE WHEN available > 0 THEN available END)) FROM {name} WHERE customer_id IS NOT NULL",
        now=now,
        pool=pool.key,
        type=document.benefit.type,
        name=Sql(name),
    )
    return facts.ctes(f"{name}_fact", "voucher.issued", rows, ask=False)


def issue(pool: str, wanted: Sequence[Wanted], *, source: str, now: datetime) -> list[Issued | None]:
    """Hand out vouchers of the pool, in the order of `wanted`; None where the stock of codes ran out.

    Raises Problems for a pool that is unknown, paused or over, or shares one code.
    """
    found = queries.pool(pool)
    if problems := usable(found, now=now):
        raise Problems(problems)
    issued: list[Issued | None] = []
    for start in range(0, len(wanted), BATCH):
        with transaction.atomic():
            issued += _issue(found, wanted[start : start + BATCH], source=source, now=now)
    return issued


def _issue(pool: VoucherPool, wanted: Sequence[Wanted], *, source: str, now: datetime) -> list[Issued | None]:
    alive = _alive([one.customer_id for one in wanted if one.customer_id is not None])
    # A key of our own, where the caller has none, tells which code is whose.
    keyed = fetch(
        sql(
            "SELECT coalesce(k.key, gen_random_uuid()) FROM unnest({keys}::uuid[]) WITH ORDINALITY AS k (key, n)"
            " ORDER BY k.n",
            keys=[one.key for one in wanted],
        )
    )
    keys = [row[0] for row in keyed]
    first: dict[UUID, Wanted] = {}
    for key, one in zip(keys, wanted, strict=True):
        if one.customer_id is None or one.customer_id in alive:
            first.setdefault(key, one)
    rows = sql(
        "SELECT w.customer_id, w.key, w.amount, w.until, NULL::bigint FROM unnest({customers}::bigint[],"
        " {keys}::uuid[], {amounts}::numeric[], {until}::timestamptz[]) WITH ORDINALITY"
        " AS w (customer_id, key, amount, until, n) ORDER BY w.n",
        customers=[one.customer_id for one in first.values()],
        keys=list(first),
        amounts=[one.amount for one in first.values()],
        until=[one.valid_until for one in first.values()],
    )
    for last in (False, True):
        try:
            with transaction.atomic():
                partitions.ensure(now, now)
                execute(sql("WITH {made} SELECT 1", made=ctes("issued", pool, rows, source=source, now=now)))
            break
        except IntegrityError:
            # Another session used a key meanwhile, or two random codes are alike: the next look sees it.
            if last:
                raise
    had = fetch(
        sql(
            "SELECT issue_key, id, code, valid_until FROM voucher WHERE issue_key = ANY({keys}::uuid[])"
            " AND pool_id = {pool} AND code IS NOT NULL",
            keys=keys,
            pool=pool.pk,
        )
    )
    issued = {row[0]: Issued(*row[1:]) for row in had}
    return [issued.get(key) for key in keys]


def _alive(customer_ids: Sequence[int]) -> set[int]:
    """Those customers who exist, kept so until the transaction ends."""
    query = sql(
        "SELECT id FROM customer WHERE id = ANY({ids}::bigint[]) ORDER BY id FOR KEY SHARE",
        ids=sorted(set(customer_ids)),
    )
    return {row[0] for row in fetch(query)}


def void(voucher_ids: Sequence[int], *, now: datetime) -> int:
    """Withdraw vouchers that nobody holds or has used up; money on gift cards lapses. How many."""
    with transaction.atomic():
        rows = fetch(
            sql(
                "SELECT id FROM voucher WHERE id = ANY({ids}::bigint[]) AND state <> 2 AND held = 0"
                " ORDER BY id FOR UPDATE",
                ids=list(voucher_ids),
            )
        )
        ids = [row[0] for row in rows]
        lapse(ids, now=now)
        execute(sql("UPDATE voucher SET state = 2, available = 0 WHERE id = ANY({ids}::bigint[])", ids=ids))
    return len(ids)


def lapse(voucher_ids: Sequence[int], *, now: datetime) -> int:
    """Let the money go that is on these gift cards, which the caller has locked; how many had any."""
    return execute(
        sql(
            "WITH gone AS (INSERT INTO gift_entry (voucher_id, from_account, to_account, amount, at)"
            " SELECT id, {available}, {lapsed}, available, {now} FROM voucher"
            " WHERE id = ANY({ids}::bigint[]) AND state = 1 AND available > 0 RETURNING voucher_id)"
            " UPDATE voucher v SET available = 0 FROM gone WHERE v.id = gone.voucher_id",
            available=names.AVAILABLE,
            lapsed=names.LAPSED,
            now=now,
            ids=list(voucher_ids),
        )
    )


@dataclass(frozen=True, slots=True)
class Brought:
    """A code that somebody brings, with what is on it and until when it is good."""

    code: str
    amount: Decimal | None = None
    valid_until: datetime | None = None


def bring(pool: str, brought: Sequence[Brought], *, now: datetime) -> Imported:
    """Put codes into the stock of a pool. Codes that exist anywhere are no second code; mistakes are told by place."""
    found = queries.pool(pool)
    document = queries.document_of("voucher_pool", found.definition)
    if document.codes.type != "imported":
        raise Problems([Problem("pool", f"{pool} makes its codes itself", "set codes.type to imported")])
    is_gift = document.benefit.type == "gift_card"
    rejected: list[tuple[int, list[Problem]]] = []
    fresh: dict[UUID, Brought] = {}
    doubles = 0
    for place, one in enumerate(brought):
        if wrong := _mistakes(one, is_gift, now):
            rejected.append((place, wrong))
            continue
        key = codes.digest(codes.fold(one.code))
        doubles += key in fresh
        fresh.setdefault(key, one)
    accepted = 0
    items = list(fresh.items())
    for start in range(0, len(items), BATCH):
        some = items[start : start + BATCH]
        accepted += execute(
            sql(
                "INSERT INTO voucher (pool_id, digest, code, state, valid_until, available, created_at)"
                " SELECT {pool}, b.digest, b.code, 0, b.until, coalesce(b.amount, 0), {now} FROM unnest("
                " {digests}::uuid[], {codes}::text[], {until}::timestamptz[], {amounts}::numeric[])"
                " WITH ORDINALITY AS b (digest, code, until, amount, n) ORDER BY b.n ON CONFLICT (digest) DO NOTHING",
                pool=found.pk,
                now=now,
                digests=[digest for digest, _ in some],
                codes=[one.code.strip() for _, one in some],
                until=[one.valid_until for _, one in some],
                amounts=[one.amount for _, one in some],
            )
        )
    return Imported(accepted, doubles + len(items) - accepted, rejected)


def _mistakes(one: Brought, is_gift: bool, now: datetime) -> list[Problem]:
    wrong = []
    if not 4 <= len(codes.fold(one.code)) <= 60:
        wrong.append(Problem("code", f"{one.code!r} has not 4 to 60 signs"))
    if one.amount is not None and (not is_gift or one.amount <= 0 or one.amount != round(one.amount, 2)):
        told = "is no amount of money" if is_gift else "is given, but this is no pool of gift cards"
        wrong.append(Problem("amount", f"{one.amount} {told}"))
    if one.valid_until is not None and one.valid_until <= now:
        wrong.append(Problem("valid_until", f"{one.valid_until:%Y-%m-%d} is over", "leave the code out"))
    return wrong
