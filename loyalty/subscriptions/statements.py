"""What a membership was worth: to a member against the fee, to the house against what it cost."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from loyalty.kit.sql import fetch, fetch_dicts, sql
from loyalty.subscriptions.models import Subscription


@dataclass(frozen=True, slots=True)
class Saving:
    """What came of a contract so far, in money; `others` is what the plan says its uncounted benefits are worth."""

    paid: Decimal
    points: int
    points_worth: Decimal
    vouchers: int
    vouchers_worth: Decimal
    others: Decimal

    @property
    def worth(self) -> Decimal:
        return self.points_worth + self.vouchers_worth + self.others

    @property
    def saved(self) -> Decimal:
        """Over the fees; below 0 when the fees were more."""
        return self.worth - self.paid


# A voucher is worth what it took off a price, so only those count that were used.
_SAVING = """SELECT
    (SELECT coalesce(sum(CASE WHEN kind = 'fee' THEN amount ELSE -amount END), 0) FROM subscription_charge
        WHERE subscription_id = {id} AND (state = 'paid' OR kind = 'refund' AND state <> 'void')),
    coalesce(sum(b.quantity) FILTER (WHERE b.kind = 'points'), 0),
    coalesce(sum(b.worth) FILTER (WHERE b.kind = 'points'), 0),
    count(*) FILTER (WHERE b.kind = 'voucher'),
    coalesce(sum(u.amount) FILTER (WHERE b.kind = 'voucher'), 0),
    (SELECT count(*) FROM subscription_charge c CROSS JOIN generate_series(0, greatest(c.benefit_month, 0) - 1) AS m
        WHERE c.subscription_id = {id} AND c.kind = 'fee' AND c.state = 'paid')
    FROM subscription_benefit b LEFT JOIN LATERAL (
        SELECT sum(amount) AS amount FROM offer_use WHERE voucher_id = b.reference AND state = 'redeemed'
    ) u ON b.kind = 'voucher' WHERE b.subscription_id = {id}"""


def saving(contract: Subscription) -> Saving:
    """The statement of one contract; one query."""
    paid, points, worth, vouchers, used, months = fetch(sql(_SAVING, id=contract.pk))[0]
    others = Decimal(str((contract.terms.get("benefits") or {}).get("worth", 0)))
    return Saving(Decimal(paid), int(points), Decimal(worth), int(vouchers), Decimal(used), others * months)


_FIGURES = """SELECT
    (SELECT jsonb_object_agg(state, n) FROM (SELECT state, count(*) AS n FROM subscription WHERE plan_id = {plan}
        GROUP BY 1) q) AS states,
    (SELECT count(*) FROM subscription WHERE plan_id = {plan} AND trial_ends_at <= {now}) AS trials,
    (SELECT count(*) FROM subscription s WHERE s.plan_id = {plan} AND s.trial_ends_at <= {now}
        AND EXISTS (SELECT FROM subscription_charge c WHERE c.subscription_id = s.id AND c.state = 'paid')) AS won,
    (SELECT coalesce(sum(c.amount), 0) FROM subscription_charge c JOIN subscription s ON s.id = c.subscription_id
        WHERE s.plan_id = {plan} AND c.kind = 'fee' AND c.state = 'paid' AND c.paid_at > {year}) AS fees,
    (SELECT coalesce(sum(c.amount), 0) FROM subscription_charge c JOIN subscription s ON s.id = c.subscription_id
        WHERE s.plan_id = {plan} AND c.kind = 'refund' AND c.state <> 'void' AND c.due_at > {year}) AS refunds,
    (SELECT coalesce(sum(c.amount), 0) FROM subscription_charge c JOIN subscription s ON s.id = c.subscription_id
        WHERE s.plan_id = {plan} AND c.kind = 'fee' AND c.state IN ('due', 'failed') AND c.due_at <= {now}) AS open,
    (SELECT coalesce(sum(b.worth), 0) FROM subscription_benefit b JOIN subscription s ON s.id = b.subscription_id
        WHERE s.plan_id = {plan} AND b.kind = 'points' AND b.at > {year}) AS points,
    (SELECT coalesce(sum(u.amount), 0) FROM subscription_benefit b JOIN subscription s ON s.id = b.subscription_id
        JOIN offer_use u ON u.voucher_id = b.reference AND u.state = 'redeemed'
        WHERE s.plan_id = {plan} AND b.kind = 'voucher' AND u.at > {year}) AS vouchers"""


def figures(plan_id: int, *, now: datetime) -> dict[str, Any]:
    """Cost and benefit of a plan in the last 365 days, and how many members it has now; one query."""
    found = fetch_dicts(sql(_FIGURES, plan=plan_id, now=now, year=now - timedelta(days=365)))[0]
    found["result"] = found["fees"] - found["refunds"] - found["points"] - found["vouchers"]
    return found


_MONTHS = """SELECT m::date AS month,
    (SELECT count(*) FROM subscription s WHERE s.plan_id = {plan} AND s.ordered_at >= m
        AND s.ordered_at < m + interval '1 month') AS ordered,
    (SELECT count(*) FROM subscription s WHERE s.plan_id = {plan} AND s.ended_at >= m
        AND s.ended_at < m + interval '1 month') AS ended
    FROM generate_series(date_trunc('month', {now}::timestamptz) - interval '11 months',
        date_trunc('month', {now}::timestamptz), interval '1 month') AS m ORDER BY m"""


def months(plan_id: int, *, now: datetime) -> list[tuple[Any, int, int]]:
    """(month, ordered, ended) of the last twelve months."""
    return [(row[0], row[1], row[2]) for row in fetch(sql(_MONTHS, plan=plan_id, now=now))]
