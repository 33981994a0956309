"""Writes what pools and offers are (documents), what the clock brings due, and what people do by hand."""

from collections.abc import Mapping, Set
from datetime import datetime
from typing import Any

from django.db import transaction

from loyalty.events import facts, partitions
from loyalty.kit import audiences
from loyalty.kit.documents import Change
from loyalty.kit.periods import Period
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, execute, fetch, sql
from loyalty.offers import codes, issuing, names, prices, queries
from loyalty.offers.definition import OfferDocument, PoolDocument, Usable
from loyalty.offers.models import Offer, Voucher, VoucherPool
from loyalty.program.models import Tier
from loyalty.program.setup import load

Declared = Mapping[str, Set[str]]
BATCH = 2_000


def _change(kind: str, key: str, before: dict[str, Any] | None, after: dict[str, Any]) -> Change:
    verdict = "created" if before is None else "unchanged" if before == after else "updated"
    told = tuple(prices.warnings({field: after.get(field, {}) for field in ("name", "description")}))
    return Change(kind=kind, key=key, verdict=verdict, before=before, after=after, warnings=told)


@transaction.atomic
def save_pool(document: PoolDocument, *, now: datetime, declared: Declared | None = None) -> Change:
    """Create the pool or change it to `document`; raises Problems. Codes that are issued keep the end they have."""
    found = VoucherPool.objects.select_for_update().filter(key=document.key).first()
    problems = _unknown(document, declared or {})
    if found is not None:
        problems += _frozen(queries.document_of("voucher_pool", found.definition), document, found)
    if problems:
        raise Problems(problems)
    after = {"kind": "voucher_pool", "key": document.key, **document.plain()}
    change = _change("voucher_pool", document.key, found.definition if found else None, after)
    if change.verdict == "unchanged":
        return change
    written = {"name": document.name, "state": document.state, "definition": after, "updated_at": now}
    pool, _ = VoucherPool.objects.update_or_create(
        key=document.key,
        defaults=written,
        create_defaults={**written, "created_at": now, "reminded_until": now},
    )
    if document.codes.type == "shared" and document.codes.code:
        _share(pool, document.codes.code, now)
    _recount("voucher_pool", "pool_id", pool.pk, document)
    return change


@transaction.atomic
def save_offer(document: OfferDocument, *, now: datetime, declared: Declared | None = None) -> Change:
    """Create the offer or change it to `document`; raises Problems."""
    found = Offer.objects.select_for_update().filter(key=document.key).first()
    if problems := _unknown(document, declared or {}):
        raise Problems(problems)
    after = {"kind": "offer", "key": document.key, **document.plain()}
    change = _change("offer", document.key, found.definition if found else None, after)
    if change.verdict == "unchanged":
        return change
    written = {"name": document.name, "state": document.state, "definition": after, "updated_at": now}
    offer, _ = Offer.objects.update_or_create(
        key=document.key, defaults=written, create_defaults={**written, "created_at": now}
    )
    _recount("offer", "offer_id", offer.pk, document)
    return change


def _unknown(document: Usable, declared: Declared) -> list[Problem]:
    """What the document names and nobody knows."""
    problems = []
    tiers = set(Tier.objects.filter(key__in=document.when.tiers).values_list("key", flat=True))
    tiers |= set(declared.get("tier", ()))
    for place, key in enumerate(document.when.tiers):
        if key not in tiers:
            problems.append(Problem(f"when.tiers[{place}]", f"there is no tier {key!r}", "apply the tier first"))
    missing = audiences.unknown(document.when.segments) - set(declared.get("segment", ()))
    for place, key in enumerate(document.when.segments):
        if key in missing:
            problems.append(
                Problem(f"when.segments[{place}]", f"there is no segment {key!r}", "apply the segment first")
            )
    if isinstance(document, OfferDocument) and document.personal is not None:
        problems += _of_personal(document, declared)
    if document.benefit.type == "next_order" and document.benefit.pool not in declared.get("voucher_pool", ()):
        pool = VoucherPool.objects.filter(key=document.benefit.pool).first()
        if pool is None:
            problems.append(queries.unknown_pool(document.benefit.pool, "benefit.pool"))
        elif queries.document_of("voucher_pool", pool.definition).codes.type == "shared":
            problems.append(Problem("benefit.pool", f"{pool.key} has one code for all", "name a pool with own codes"))
    return problems


def _of_personal(document: OfferDocument, declared: Declared) -> list[Problem]:
    """What a personal offer needs of its program: purchases, and for points what they are worth."""
    key = document.personal.program if document.personal else None
    if declared.get("program"):
        return []
    try:
        setup = load(key, "personal.program")
    except Problems as error:
        return list(error.problems)
    if document.benefit.type == "points" and not setup.document.wallets[0].value:
        remedy = "set the value of the program's first wallet"
        return [Problem("benefit.type", "points that are worth nothing cannot be weighed against margin", remedy)]
    return []


def _frozen(before: PoolDocument, after: PoolDocument, pool: VoucherPool) -> list[Problem]:
    """What cannot change once there are codes."""
    problems = []
    gift = "gift_card" in (before.benefit.type, after.benefit.type) and before.benefit.type != after.benefit.type
    money = before.benefit.type == "gift_card" and before.currency != after.currency
    kind = before.codes.type != after.codes.type
    if (gift or money or kind) and Voucher.objects.filter(pool=pool).exists():
        remedy = "make a new pool and pause this one"
        if kind:
            problems.append(Problem("codes.type", "there are codes already", remedy))
        if gift:
            problems.append(Problem("benefit.type", "a gift card stays one, as others stay none", remedy))
        if money:
            problems.append(Problem("currency", "there is money on the cards", remedy))
    return problems


def _share(pool: VoucherPool, code: str, now: datetime) -> None:
    """Let the pool have this one code."""
    digest = codes.digest(codes.fold(code))
    taken = Voucher.objects.filter(digest=digest).exclude(pool=pool).first()
    if taken:
        raise Problems([Problem("codes.code", f"{code!r} is a code of another pool", "choose another")])
    written = {"digest": digest, "code": code, "state": names.ISSUED}
    Voucher.objects.update_or_create(
        pool=pool, defaults=written, create_defaults={**written, "issued_at": now, "created_at": now}
    )


def _recount(table: str, column: str, identifier: int, document: Usable) -> None:
    """Count what a pool or an offer has used, where it has limits; its row is locked."""
    if document.limits.total is None and document.limits.budget is None:
        return
    execute(
        sql(
            "UPDATE {table} t SET uses = x.n, spent = x.amount FROM (SELECT count(*) AS n, coalesce(sum(amount), 0) AS"
            " amount FROM offer_use WHERE {column} = {id} AND state IN ('reserved', 'redeemed')) x WHERE t.id = {id}",
            table=Sql(table),
            column=Sql(column),
            id=identifier,
        )
    )


def set_state(thing: VoucherPool | Offer, state: str, *, now: datetime) -> None:
    """Pause a pool or an offer, or let it go on."""
    if isinstance(thing, VoucherPool):
        save_pool(_with_state(queries.document_of("voucher_pool", thing.definition), state), now=now)
    else:
        save_offer(_with_state(queries.document_of("offer", thing.definition), state), now=now)


def _with_state(document: Any, state: str) -> Any:
    return type(document).model_validate(document.plain() | {"kind": document.kind, "state": state})


def remind(*, now: datetime) -> int:
    """Tell the timeline, once for each term, whose vouchers end soon; how many facts. One statement for each term."""
    told = 0
    with transaction.atomic():
        pools = list(VoucherPool.objects.select_for_update(skip_locked=True, no_key=True).filter(state="active"))
        groups: dict[tuple[str, datetime], list[int]] = {}
        for pool in pools:
            since = pool.reminded_until or pool.created_at
            for term in queries.document_of("voucher_pool", pool.definition).remind:
                if since < now:
                    groups.setdefault((term, since), []).append(pool.pk)
        if not groups:
            return 0
        partitions.ensure(now, now)
        for (term, since), pool_ids in sorted(groups.items()):
            told += facts.write("voucher.expiring", _ending(term, since, pool_ids, now))
        VoucherPool.objects.filter(pk__in=[pool.pk for pool in pools]).update(reminded_until=now)
    return told


def _ending(term: str, since: datetime, pool_ids: list[int], now: datetime) -> Sql:
    return sql(
        "SELECT v.customer_id, {now}::timestamptz, v.id, jsonb_strip_nulls(jsonb_build_object('pool', p.key, 'code',"
        " v.code, 'valid_until', v.valid_until, 'amount', CASE WHEN v.available > 0 THEN v.available END,"
        " 'in', {term}::text)) FROM voucher v JOIN voucher_pool p ON p.id = v.pool_id WHERE v.state = 1"
        " AND v.valid_until > {since}::timestamptz + make_interval(secs => {seconds})"
        " AND v.valid_until <= {now}::timestamptz + make_interval(secs => {seconds})"
        " AND v.pool_id = ANY({pools}::int[]) AND v.customer_id IS NOT NULL AND v.valid_until > {now}"
        " AND (v.available > 0 OR v.uses < v.uses_max)",
        now=now,
        term=term,
        since=since,
        seconds=Period.parse(term).seconds or 0,
        pools=pool_ids,
    )


def lapse(*, now: datetime, limit: int = BATCH) -> int:
    """Let the money go that is on gift cards whose time is over and that nobody holds; how many cards."""
    with transaction.atomic():
        rows = fetch(
            sql(
                "SELECT id FROM voucher WHERE available > 0 AND valid_until <= {now} AND state = 1 AND held = 0"
                " ORDER BY valid_until LIMIT {limit} FOR UPDATE SKIP LOCKED",
                now=now,
                limit=limit,
            )
        )
        return issuing.lapse([row[0] for row in rows], now=now) if rows else 0


def issue_by_hand(pool: str, customer_id: int | None, *, by: str, now: datetime) -> issuing.Issued:
    """One voucher for one customer; raises Problems."""
    issued = issuing.issue(pool, [issuing.Wanted(customer_id)], source=f"staff:{by}", now=now)[0]
    if issued is None:
        raise Problems([Problem("pool", "no code is left in stock", "bring more codes")])
    return issued
