"""The part in money of rewards that is paid after they were ordered: due, paid, void, to be refunded, refunded."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction

from loyalty.checkout.models import RewardDue
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, execute, fetch_values, sql
from loyalty.program.setup import Setup
from loyalty.rewards import fulfillment, redeeming
from loyalty.rewards.shapes import Order, Redeemed

PAGE = 50
OPEN, PAID, VOID, REFUND, REFUNDED = "open", "paid", "void", "refund", "refunded"
STATES = (OPEN, PAID, VOID, REFUND, REFUNDED)
_STATE = (
    "CASE WHEN d.refunded_at IS NOT NULL THEN 'refunded' WHEN o.state = 'cancelled' AND d.paid_at IS NOT NULL"
    " THEN 'refund' WHEN o.state = 'cancelled' THEN 'void' WHEN d.paid_at IS NOT NULL THEN 'paid' ELSE 'open' END"
)


def state_of(order_state: str, *, paid: bool, refunded: bool) -> str:
    """The state of what is due; the same as in SQL."""
    if refunded:
        return REFUNDED
    if order_state == "cancelled":
        return REFUND if paid else VOID
    return PAID if paid else OPEN


def redeem(
    order: Order, *, customer_id: int, setup: Setup, now: datetime, way: str, source: str = "member",
    actor: str | None = None,
) -> Redeemed:  # fmt: skip
    """Redeem a reward; a part in money that no payment covers is due, and nothing is packed before. Raises Problems."""
    if order.payment:
        return redeeming.redeem(order, customer_id=customer_id, setup=setup, now=now, source=source, actor=actor)
    with transaction.atomic():
        done = redeeming.redeem(
            replace(order, pay_later=True), customer_id=customer_id, setup=setup, now=now, source=source, actor=actor
        )
        if not done.repeated:
            execute(
                sql(
                    "INSERT INTO reward_due (redemption_id, customer_id, way, made_at) SELECT id, customer_id, {way},"
                    " {now} FROM reward_redemption WHERE id = {id} AND money > 0 AND payment IS NULL",
                    way=way,
                    now=now,
                    id=done.redemption_id,
                )
            )
    return done


@transaction.atomic
def pay(redemption_id: int, *, reference: str, by: str, now: datetime) -> bool:
    """Note that the money came; False when it was noted before under the same reference. Raises Problems."""
    due = _locked(redemption_id)
    if due["state"] in (PAID, REFUND, REFUNDED):
        if due["payment"] == reference:
            return False
        raise Problems([Problem("redemption", "is paid already", f"under {due['payment']!r}")])
    if due["state"] == VOID:
        raise Problems([Problem("redemption", "was cancelled: nothing is due", "give the money back")])
    fulfillment.note_payment(redemption_id, payment=reference)
    RewardDue.objects.filter(pk=redemption_id).update(paid_at=now, paid_by=by)
    return True


@transaction.atomic
def refund(redemption_id: int, *, reference: str, by: str, now: datetime) -> bool:
    """Note that the money of a cancelled order went back; False when it was noted before under the same reference.
    Raises Problems."""
    due = _locked(redemption_id)
    if due["state"] == REFUNDED:
        if due["refund"] == reference:
            return False
        raise Problems([Problem("redemption", "is refunded already", f"under {due['refund']!r}")])
    if due["state"] != REFUND:
        remedy = "cancel the order first" if due["state"] == PAID else ""
        raise Problems([Problem("redemption", "has nothing to refund", remedy)])
    RewardDue.objects.filter(pk=redemption_id).update(refunded_at=now, refunded_by=by, refund=reference)
    return True


def _locked(redemption_id: int) -> dict[str, Any]:
    """The due with its redemption, which nobody cancels meanwhile."""
    fetch_values(sql("SELECT id FROM reward_redemption WHERE id = {id} FOR NO KEY UPDATE", id=redemption_id))
    found = dues(redemption_id=redemption_id)[0]
    if not found:
        raise Problems([Problem("redemption", f"there is no money due for number {redemption_id}")])
    return found[0]


def dues(
    *, customer_id: int | None = None, redemption_id: int | None = None, state: str | None = None,
    after: int | None = None, limit: int = PAGE,
) -> tuple[list[dict[str, Any]], int | None]:  # fmt: skip
    """What is or was due, newest first, and the cursor of the next page."""
    where = [Sql("TRUE")]
    for column, value in (("d.customer_id", customer_id), ("d.redemption_id", redemption_id)):
        if value is not None:
            where.append(sql("{column} = {value}", column=Sql(column), value=value))
    if state is not None:
        where.append(sql("{state} = {wanted}", state=Sql(_STATE), wanted=state))
        if state in (OPEN, VOID):
            where.append(Sql("d.paid_at IS NULL"))
    if after is not None:
        where.append(sql("d.redemption_id < {after}", after=after))
    rows = fetch_values(
        sql(
            "SELECT d.redemption_id AS redemption, c.external_id AS customer, d.customer_id, r.key AS reward, r.name,"
            " o.money AS amount, o.currency, d.way, {state} AS state, o.state AS order_state, o.payment, d.made_at,"
            " d.paid_at, d.paid_by, d.refunded_at, d.refund FROM reward_due d"
            " JOIN reward_redemption o ON o.id = d.redemption_id JOIN reward r ON r.id = o.reward_id"
            " LEFT JOIN customer c ON c.id = d.customer_id WHERE {where} ORDER BY d.redemption_id DESC LIMIT {limit}",
            state=Sql(_STATE),
            where=Sql(" AND ").join(where),
            limit=limit + 1,
        )
    )
    shown = rows[:limit]
    return shown, shown[-1]["redemption"] if len(rows) > limit else None
