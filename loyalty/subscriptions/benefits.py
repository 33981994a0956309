"""What members get for their fee: points and vouchers month by month, and a tier as long as they pay."""

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction

from loyalty.kit.logs import fields
from loyalty.kit.problems import Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.offers import issuing
from loyalty.program import bestowal, membership, movements, names
from loyalty.program.setup import Setup, load_all
from loyalty.subscriptions import holding, queries
from loyalty.subscriptions.definition import PlanDocument
from loyalty.subscriptions.names import POINTS, VOUCHER

log = logging.getLogger(__name__)
BATCH = 2_000
# Makes one key of a charge, a month and a place: the same month brings its benefits once.
_SPACE = UUID("6f3a1f0e-52a5-4f6e-9d0a-0c6f0f7f7a11")


@dataclass(frozen=True, slots=True)
class Month:
    """A month of a paid period that brings benefits now."""

    charge_id: int
    contract_id: int
    customer_id: int
    member_id: int | None
    program_id: int
    month: int
    document: PlanDocument

    def key(self, kind: str, place: int = 0) -> UUID:
        return uuid5(_SPACE, f"{self.charge_id}/{self.month}/{kind}/{place}")


_DUE = """SELECT c.id, c.subscription_id FROM subscription_charge c WHERE c.state = 'paid' AND c.benefit_at <= {now}
    ORDER BY c.benefit_at LIMIT {limit}"""
_MONTHS = """SELECT c.id, s.id, s.customer_id, m.id, s.program_id, c.benefit_month, s.terms
    FROM subscription_charge c JOIN subscription s ON s.id = c.subscription_id
    LEFT JOIN member m ON m.customer_id = s.customer_id AND m.program_id = s.program_id AND m.state = 'active'
    WHERE c.id = ANY({ids}::bigint[]) AND c.state = 'paid' AND c.benefit_at <= {now} AND s.customer_id IS NOT NULL
    ORDER BY c.id FOR NO KEY UPDATE OF c"""
_ADVANCE = """UPDATE subscription_charge c SET benefit_month = c.benefit_month + 1,
    benefit_at = CASE WHEN c.benefit_month + 1 < s.months THEN
        ((c.period_start AT TIME ZONE s.zone) + make_interval(months => c.benefit_month + 1)) AT TIME ZONE s.zone END
    FROM subscription s WHERE s.id = c.subscription_id AND c.id = ANY({ids}::bigint[])"""


def give(*, now: datetime) -> int:
    """Give the benefits of the months that have begun; how many months."""
    with transaction.atomic():
        found = fetch(sql(_DUE, now=now, limit=BATCH))
        if not found:
            return 0
        holding.hold([contract_id for _, contract_id in found])
        rows = fetch(sql(_MONTHS, ids=[row[0] for row in found], now=now))
        due = [
            Month(charge, contract, customer, member, program, month, queries.document_of(_object(terms)))
            for charge, contract, customer, member, program, month, terms in rows
        ]
        for setup in load_all():
            mine = [one for one in due if one.program_id == setup.id]
            _points([one for one in mine if one.member_id is not None], setup, now)
            _vouchers(mine, now)
        execute(sql(_ADVANCE, ids=[row[0] for row in found]))
    return len(due)


def _object(value: Any) -> dict[str, Any]:
    return dict(json.loads(value) if isinstance(value, str) else value)


def _groups(months: Sequence[Month], of: Callable[[Month], Any]) -> dict[Any, list[Month]]:
    found: dict[Any, list[Month]] = defaultdict(list)
    for one in months:
        if (key := of(one)) is not None:
            found[key].append(one)
    return found


def _points(months: Sequence[Month], setup: Setup, now: datetime) -> None:
    for wallet, some in _groups(
        [one for one in months if one.document.benefits.points], lambda one: one.document.benefits.wallet or ""
    ).items():
        grants = [
            movements.Grant(one.member_id or 0, one.document.benefits.points or 0, key=one.key(POINTS)) for one in some
        ]
        movements.grant(grants, setup=setup, wallet=wallet or None, kind=names.OCCASION, reason="Membership", now=now)
        value = setup.wallet(wallet or None)[1].value
        _note(
            [(one, 0, one.document.benefits.points or 0, value * (one.document.benefits.points or 0), None)
             for one in some], POINTS, now,
        )  # fmt: skip


def _vouchers(months: Sequence[Month], now: datetime) -> None:
    """Vouchers of each pool; a pool that is paused or empty gives none, which is logged and does not stop the rest."""
    wanted: dict[str, list[tuple[Month, int]]] = defaultdict(list)
    for one in months:
        place = 0
        for pool in one.document.benefits.vouchers:
            for _ in range(pool.count):
                if pool.per == "month" or one.month == 0:
                    wanted[pool.pool].append((one, place))
                place += 1
    for pool_key, some in wanted.items():
        asked = [issuing.Wanted(one.customer_id, key=one.key(VOUCHER, place)) for one, place in some]
        try:
            with transaction.atomic():
                issued = issuing.issue(pool_key, asked, source="membership", now=now)
        except Problems as problems:
            log.warning("subscriptions.vouchers.refused", extra=fields(pool=pool_key, problems=str(problems)))
            continue
        rows = [
            (one, place, 1, None, got.voucher_id)
            for (one, place), got in zip(some, issued, strict=True)
            if got is not None
        ]
        if len(rows) < len(some):
            log.warning("subscriptions.vouchers.short", extra=fields(pool=pool_key, missing=len(some) - len(rows)))
        _note(rows, VOUCHER, now)


def _note(rows: Sequence[tuple[Month, int, int, Decimal | None, int | None]], kind: str, now: datetime) -> None:
    execute(
        sql(
            "INSERT INTO subscription_benefit (subscription_id, charge_id, month, kind, place, quantity, worth,"
            " reference, at) SELECT b.contract, b.charge, b.month, {kind}, b.place, b.quantity, b.worth, b.reference,"
            " {now} FROM unnest({contracts}::bigint[], {charges}::bigint[], {months}::smallint[], {places}::smallint[],"
            " {quantities}::int[], {worths}::numeric[], {references}::bigint[])"
            " AS b (contract, charge, month, place, quantity, worth, reference) ON CONFLICT DO NOTHING",
            kind=kind,
            now=now,
            contracts=[one.contract_id for one, *_ in rows],
            charges=[one.charge_id for one, *_ in rows],
            months=[one.month for one, *_ in rows],
            places=[row[1] for row in rows],
            quantities=[row[2] for row in rows],
            worths=[row[3] for row in rows],
            references=[row[4] for row in rows],
        )
    )


# Given anew whenever the period moves on, so that it ends by itself if nobody looks.
_DESERVED = """s.state IN ('trial', 'active', 'past_due', 'cancelled') AND s.customer_id IS NOT NULL
    AND NOT {suspended} AND (s.terms #>> '{{benefits,tier}}') IS NOT NULL"""
_TO_GIVE = """SELECT s.id, m.id, s.terms #>> '{{benefits,tier}}', s.term_ends_at
        + make_interval(secs => (s.terms -> 'seconds' ->> 'grace')::float8)
    FROM subscription s JOIN member m ON m.customer_id = s.customer_id AND m.program_id = s.program_id
        AND m.state = 'active'
    JOIN tier t ON t.key = s.terms #>> '{{benefits,tier}}' AND t.program_id = s.program_id
    LEFT JOIN tier b ON b.id = m.tier_id
    WHERE s.program_id = {program} AND {deserved} AND (coalesce(b.rank, 0) < t.rank OR (b.rank = t.rank AND
        (m.tier_fixed_until IS NULL OR m.tier_fixed_until < s.term_ends_at
            + make_interval(secs => (s.terms -> 'seconds' ->> 'grace')::float8)))) ORDER BY s.id LIMIT {limit}"""
_TO_TAKE = """SELECT s.id, m.id FROM subscription s LEFT JOIN member m ON m.customer_id = s.customer_id
        AND m.program_id = s.program_id AND m.state = 'active'
    WHERE s.program_id = {program} AND s.tier_given AND NOT ({deserved}) ORDER BY s.id LIMIT {limit}"""


def keep_tiers(*, now: datetime) -> int:
    """Give the tiers that are paid for, and end those that are not any more; how many."""
    deserved = sql(_DESERVED, suspended=queries.suspended(now))
    done = 0
    for setup in load_all():
        with transaction.atomic():
            asked = {"program": setup.id, "deserved": deserved, "limit": BATCH}
            rows = fetch(sql(_TO_GIVE, **asked))
            _hold(rows)
            given = {member: (tier, until) for _, member, tier, until in fetch(sql(_TO_GIVE, **asked))} if rows else {}
            bestowal.bestow(given, setup=setup, now=now)
            _mark([row[0] for row in rows], given=True)
            over = fetch(sql(_TO_TAKE, **asked))
            _hold(over)
            bestowal.end([member for _, member in over if member is not None], setup=setup, now=now)
            _mark([row[0] for row in over], given=False)
        done += len(rows) + len(over)
    return done


def _hold(rows: Sequence[Sequence[Any]]) -> None:
    holding.hold([row[0] for row in rows])
    membership.lock([row[1] for row in rows if row[1] is not None])


def _mark(ids: Sequence[int], *, given: bool) -> None:
    execute(
        sql(
            "UPDATE subscription SET tier_given = {given} WHERE id = ANY({ids}::bigint[])",
            given=given,
            ids=list(ids),
        )
    )


def take_back(contract_ids: Sequence[int], *, now: datetime) -> None:
    """After withdrawals: vouchers that nobody used are void, points go as far as they are still there."""
    rows = fetch(
        sql(
            "SELECT s.program_id, m.id, s.terms #>> '{{benefits,wallet}}', b.kind, sum(b.quantity)::int,"
            " array_remove(array_agg(b.reference), NULL) FROM subscription_benefit b JOIN subscription s"
            " ON s.id = b.subscription_id LEFT JOIN member m ON m.customer_id = s.customer_id"
            " AND m.program_id = s.program_id AND m.state IN ('active', 'left')"
            " WHERE b.subscription_id = ANY({ids}::bigint[]) GROUP BY 1, 2, 3, 4",
            ids=list(contract_ids),
        )
    )
    issuing.void([one for row in rows if row[3] == VOUCHER for one in row[5]], now=now)
    points = [row for row in rows if row[3] == POINTS and row[1] is not None]
    membership.lock([row[1] for row in points])
    setups = {setup.id: setup for setup in load_all()} if points else {}
    # One by one: somebody withdraws once in a while, and each is a correction of its own in the ledger.
    for program_id, member_id, wallet, _kind, given, _references in points:
        setup = setups[program_id]
        wallet_id, _settings = setup.wallet(wallet)
        if left := min(given, movements.spendable(member_id, wallet_id)):
            movements.take_back(
                setup=setup, member_id=member_id, wallet_id=wallet_id, points=left, reason="Membership withdrawn",
                actor="membership", now=now,
            )  # fmt: skip
