"""Handing a reward over at the counter: no parcel, so nothing is said to be on its way."""

from datetime import datetime

from django.db import transaction

from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql
from loyalty.rewards import names, supplier_orders
from loyalty.rewards.placing import log, tell


@transaction.atomic
def hand_over(redemption_id: int, *, now: datetime, actor: str) -> bool:
    """Note that somebody took it with them, with all of a bundle; False when it was delivered before.

    Raises Problems for one that is cancelled, sent, or not paid.
    """
    rows = fetch(
        sql(
            "SELECT id, state, money IS NOT NULL AND payment IS NULL, parent_id FROM reward_redemption"
            " WHERE id = {id} OR parent_id = {id} ORDER BY id FOR NO KEY UPDATE",
            id=redemption_id,
        )
    )
    if not rows or rows[0][3] is not None:
        raise Problems([Problem("redemption", f"there is no redemption {redemption_id}")])
    state, unpaid = rows[0][1], rows[0][2]
    if state == names.DELIVERED:
        return False
    if state in (names.SHIPPED, names.CANCELLED) or any(row[1] == names.SHIPPED for row in rows):
        raise Problems([Problem("redemption", f"is {state} already", "look at the order")])
    if unpaid:
        raise Problems([Problem("payment", "its part in money is not paid", "take the money first")])
    ids = [row[0] for row in rows if row[1] not in (names.DELIVERED, names.CANCELLED)]
    fetch(
        sql(
            "UPDATE reward_redemption SET state = {delivered}, state_since = {now} WHERE id = ANY({ids}::bigint[])"
            " RETURNING id",
            delivered=names.DELIVERED,
            now=now,
            ids=ids,
        )
    )
    log(ids, now=now, actor=actor)
    supplier_orders.tell_again(ids, now=now, cancelled=True)
    tell(names.FACT_OF[names.DELIVERED], ids, now=now)
    return True
