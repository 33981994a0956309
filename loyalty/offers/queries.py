"""Reads pools, vouchers, offers and wallets."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings

from loyalty.kit import audiences
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, fetch, fetch_dicts, fetch_values, sql
from loyalty.offers import codes, names
from loyalty.offers.definition import OfferDocument, PoolDocument, Usable
from loyalty.offers.models import Offer, VoucherPool
from loyalty.offers.personal import Mine, for_person
from loyalty.program.models import Tier

SHAPES: dict[str, type[Usable]] = {"voucher_pool": PoolDocument, "offer": OfferDocument}
PAGE, LARGEST_PAGE = 100, 1000


def tier_names() -> dict[str, dict[str, str]]:
    """What tiers are called, by key; of two programs' the newer one's."""
    return dict(Tier.objects.order_by("id").values_list("key", "name"))


@dataclass(frozen=True, slots=True)
class Found:
    """A voucher as it is looked at; `typed` is the code as somebody gave it."""

    typed: str
    id: int
    pool_id: int
    document: PoolDocument
    pool_uses: int
    pool_spent: Decimal
    state: int
    customer_id: int | None
    uses: int
    uses_max: int | None
    valid_from: datetime | None
    valid_until: datetime | None
    available: Decimal
    held: Decimal


@dataclass(frozen=True, slots=True)
class Shown:
    """An offer for somebody: given to the person, activated by the person. `mine`: the person's part in a personal
    offer, whose document is the person's own."""

    id: int
    document: OfferDocument
    uses: int
    spent: Decimal
    given: bool
    activated_at: datetime | None
    mine: Mine | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """What conditions ask about a customer: tiers and segments by key; uses by pool and by offer."""

    tiers: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    pools: dict[int, int] | None = None
    offers: dict[int, int] | None = None


@lru_cache(maxsize=2048)
def _read(kind: str, definition: str) -> Usable:
    return SHAPES[kind].model_validate_json(definition)


def document_of(kind: str, definition: Any) -> Any:
    """The document of a pool or an offer from its JSON, as text or as values; read once a process."""
    return _read(kind, definition if isinstance(definition, str) else json.dumps(definition, sort_keys=True))


def pool(key: str, where: str = "pool") -> VoucherPool:
    """The pool with that key; raises Problems."""
    found = VoucherPool.objects.filter(key=key).first()
    if found is None:
        raise Problems([unknown_pool(key, where)])
    return found


def unknown_pool(key: str, where: str) -> Problem:
    """There is no such pool."""
    known = list(VoucherPool.objects.order_by("key").values_list("key", flat=True)[:200])
    near = get_close_matches(key, known, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known[:10]) or 'none yet'}"
    return Problem(where, f"there is no voucher pool {key!r}", remedy)


def offer(key: str, where: str = "offer") -> Offer:
    """The offer with that key; raises Problems."""
    found = Offer.objects.filter(key=key).first()
    if found is None:
        known = list(Offer.objects.order_by("key").values_list("key", flat=True)[:200])
        near = get_close_matches(key, known, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known[:10]) or 'none yet'}"
        raise Problems([Problem(where, f"there is no offer {key!r}", remedy)])
    return found


def vouchers(typed: Sequence[str]) -> dict[str, Found]:
    """The vouchers with these codes, by code as typed; one query."""
    hashes = {code: codes.digests(code) for code in typed}
    wanted = sorted({one for found in hashes.values() for one in found})
    if not wanted:
        return {}
    rows = fetch(
        sql(
            "SELECT v.digest, v.id, v.pool_id, p.definition::text, p.uses, p.spent, v.state, v.customer_id, v.uses,"
            " v.uses_max, v.valid_from, v.valid_until, v.available, v.held FROM voucher v"
            " JOIN voucher_pool p ON p.id = v.pool_id WHERE v.digest = ANY({digests}::uuid[])",
            digests=wanted,
        )
    )
    by_digest = {row[0]: row[1:] for row in rows}
    found = {}
    for code, candidates in hashes.items():
        row = next((by_digest[one] for one in candidates if one in by_digest), None)
        if row is not None:
            voucher_id, pool_id, definition, *rest = row
            found[code] = Found(code, voucher_id, pool_id, document_of("voucher_pool", definition), *rest)
    return found


def offers(customer_id: int | None, keys: Collection[str] | None = None) -> list[Shown]:
    """The active offers, all or these, with what the customer's wallet says of them; one query.

    Of a personal offer only what was activated in its present round counts.
    """
    only = Sql("") if keys is None else sql(" AND o.key = ANY({keys}::text[])", keys=sorted(keys))
    rows = fetch(
        sql(
            "SELECT o.id, o.definition::text, o.uses, o.spent, w.given_at IS NOT NULL,"
            " CASE WHEN r.id IS NULL OR w.activated_at >= r.given_at THEN w.activated_at END, p.customer_id,"
            " r.given_at, r.ends_at, p.held_out, p.explored, p.band, p.step, p.size, p.usual, p.threshold, p.category,"
            " p.expected FROM offer o LEFT JOIN offer_wallet w ON w.offer_id = o.id"
            " AND w.customer_id = {customer}::bigint LEFT JOIN offer_round r ON r.id = o.round_id"
            " LEFT JOIN offer_personal p ON p.round_id = r.id AND p.customer_id = {customer}::bigint"
            " WHERE o.state = 'active'{only} ORDER BY o.key",
            customer=customer_id,
            only=only,
        )
    )
    return [_shown(row) for row in rows]


def _shown(row: tuple[Any, ...]) -> Shown:
    offer_id, definition, uses, spent, given, activated_at, who, *mine = row
    document: OfferDocument = document_of("offer", definition)
    if document.personal is None:
        return Shown(offer_id, document, uses, spent, given, activated_at)
    own = Mine(*mine) if who is not None else None
    personal = for_person(document, own, zone=settings.TIME_ZONE)
    return Shown(offer_id, personal, uses, spent, bool(own and own.offered), activated_at, own)


def person(
    customer_id: int, documents: Collection[Usable], pools: Collection[int], offer_ids: Collection[int]
) -> Person:
    """What the conditions of these documents ask about the customer; a query for each kind of condition in use."""
    tiers: frozenset[str] = frozenset()
    if any(document.when.tiers for document in documents):
        query = sql(
            "SELECT t.key FROM member m JOIN tier t ON t.id = m.tier_id"
            " WHERE m.customer_id = {customer} AND m.state = 'active'",
            customer=customer_id,
        )
        tiers = frozenset(row[0] for row in fetch(query))
    asked = {key for document in documents for key in document.when.segments}
    segments: frozenset[str] = frozenset()
    if asked:
        query = sql(
            "SELECT a.key FROM ({members}) a WHERE a.customer_id = {customer}",
            members=audiences.members_of(asked),
            customer=customer_id,
        )
        segments = frozenset(row[0] for row in fetch(query))
    if not any(document.limits.person for document in documents):
        return Person(tiers, segments, {}, {})
    used = fetch(
        sql(
            "SELECT u.pool_id, u.offer_id, count(*) FROM offer_use u LEFT JOIN offer o ON o.id = u.offer_id"
            " LEFT JOIN offer_round r ON r.id = o.round_id WHERE u.customer_id = {customer}"
            " AND u.state IN ('reserved', 'redeemed') AND (r.id IS NULL OR u.at >= r.given_at)"
            " AND (u.pool_id = ANY({pools}::int[]) OR u.offer_id = ANY({offers}::int[])) GROUP BY 1, 2",
            customer=customer_id,
            pools=sorted(pools),
            offers=sorted(offer_ids),
        )
    )
    return Person(
        tiers,
        segments,
        {pool_id: count for pool_id, _, count in used if pool_id is not None},
        {offer_id: count for _, offer_id, count in used if offer_id is not None},
    )


def reservation(token: UUID) -> dict[str, Any] | None:
    """A reservation as it is stored."""
    rows = fetch_values(
        sql(
            "SELECT id, token, state, customer_id, ends_at, booking_id, content_digest, answer, paid, made_at"
            " FROM offer_reservation WHERE token = {token}",
            token=token,
        )
    )
    return rows[0] if rows else None


def reservation_by_key(key: UUID) -> dict[str, Any] | None:
    """The reservation that the caller made under its own id."""
    rows = fetch_values(
        sql(
            "SELECT id, token, state, customer_id, ends_at, booking_id, content_digest, answer, paid, made_at"
            " FROM offer_reservation WHERE key_digest = {key}",
            key=key,
        )
    )
    return rows[0] if rows else None


def of_customer(customer_id: int, *, now: datetime) -> list[dict[str, Any]]:
    """The vouchers that a customer has, those that can still be used first."""
    rows = fetch_dicts(
        sql(
            "SELECT v.id, v.code, p.key AS pool, p.name::text AS name, p.definition::text AS definition, v.state,"
            " v.uses, v.uses_max, v.issued_at, v.valid_from, v.valid_until, v.available, v.held, p.state AS pool_state"
            " FROM voucher v JOIN voucher_pool p ON p.id = v.pool_id WHERE v.customer_id = {customer}"
            " ORDER BY v.valid_until NULLS LAST, v.id LIMIT {most}",
            customer=customer_id,
            most=LARGEST_PAGE,
        )
    )
    for row in rows:
        row["name"] = json.loads(row["name"])
        row["document"] = document_of("voucher_pool", row.pop("definition"))
        row["status"] = status(row, now=now)
    return sorted(rows, key=lambda row: row["status"] not in ("usable", "held"))


def status(row: dict[str, Any], *, now: datetime) -> str:
    """Where a voucher stands: stock, usable, held, used, over, early, void."""
    gift = row["document"].benefit.type == "gift_card"
    if row["state"] != names.ISSUED:
        return names.STATES[row["state"]]
    if gift and not row["available"]:
        return "held" if row["held"] else "used"
    if not gift and row["uses_max"] is not None and row["uses"] >= row["uses_max"]:
        return "used"
    if row["valid_until"] and row["valid_until"] <= now:
        return "over"
    return "early" if row["valid_from"] and row["valid_from"] > now else "usable"


def voucher_page(pool_id: int, *, after: int | None, limit: int) -> tuple[list[dict[str, Any]], int | None]:
    """Vouchers of a pool, newest first, and the cursor of the next page."""
    before = Sql("") if after is None else sql(" AND v.id < {after}", after=after)
    rows = fetch_dicts(
        sql(
            "SELECT v.id, v.code, v.state, c.external_id AS customer, v.uses, v.uses_max, v.issued_at, v.valid_until,"
            " v.available FROM voucher v LEFT JOIN customer c ON c.id = v.customer_id"
            " WHERE v.pool_id = {pool} AND v.state IN (0, 1, 2){before} ORDER BY v.id DESC LIMIT {n}",
            pool=pool_id,
            before=before,
            n=limit + 1,
        )
    )
    more = len(rows) > limit
    rows = rows[:limit]
    for row in rows:
        row["state"] = names.STATES[row["state"]]
    return rows, rows[-1]["id"] if more else None


def pool_counts(pool_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """How many vouchers of each pool are in stock, issued and void; one query over an index."""
    found: dict[int, dict[str, int]] = {one: dict.fromkeys(names.STATES.values(), 0) for one in pool_ids}
    query = sql(
        "SELECT pool_id, state, count(*) FROM voucher WHERE pool_id = ANY({ids}::int[]) GROUP BY 1, 2",
        ids=sorted(pool_ids),
    )
    for pool_id, state, count in fetch(query):
        found[pool_id][names.STATES[state]] = count
    return found


def running_low() -> list[tuple[str, int, int]]:
    """(key, codes left, threshold) of the pools with a stock of codes that runs low; a bounded look at each."""
    rows = fetch(
        "SELECT p.key, (SELECT count(*) FROM (SELECT FROM voucher v WHERE v.pool_id = p.id AND v.state = 0"
        " LIMIT (p.definition #>> '{codes,low}')::int) AS few), (p.definition #>> '{codes,low}')::int"
        " FROM voucher_pool p"
        " WHERE p.state = 'active' AND p.definition #>> '{codes,type}' = 'imported'"
        " AND (p.definition #>> '{codes,low}')::int > 0 ORDER BY p.key"
    )
    return [(key, left, low) for key, left, low in rows if left < low]


def _name(name: dict[str, str], key: str) -> str:
    """One name for templates, in the installation's language where there is one."""
    language = settings.LANGUAGE_CODE.partition("-")[0]
    return name.get(language) or next(iter(name.values()), key)


def of_origins(origins: Collection[int]) -> dict[int, dict[str, Any]]:
    """The last voucher issued in each of these enrollments, as templates see it; one query."""
    if not origins:
        return {}
    rows = fetch(
        sql(
            "SELECT DISTINCT ON (v.origin_id) v.origin_id, v.code, v.valid_until, v.available, p.key, p.name::text,"
            " p.definition::text FROM voucher v JOIN voucher_pool p ON p.id = v.pool_id"
            " WHERE v.origin_id = ANY({origins}::bigint[]) AND v.state = 1 ORDER BY v.origin_id, v.id DESC",
            origins=sorted(origins),
        )
    )
    found = {}
    for origin, code, until, money, key, name, definition in rows:
        benefit = document_of("voucher_pool", definition).benefit
        found[origin] = {
            "code": code,
            "pool": key,
            "name": _name(json.loads(name), key),
            "valid_until": until.isoformat() if until else None,
            "type": benefit.type,
            "percent": getattr(benefit, "percent", None),
            "amount": money or getattr(benefit, "amount", None),
        }
    return found


def wallet_counts(offer_id: int) -> dict[str, int]:
    """How many wallets hold the offer, and in how many it is activated."""
    [(held, activated)] = fetch(
        sql("SELECT count(*), count(activated_at) FROM offer_wallet WHERE offer_id = {id}", id=offer_id)
    )
    return {"held": held, "activated": activated}
