"""Tells suppliers of orders: takes what is due, sends it, writes down what came of it.

Sending again is always safe: the message has an idempotency key, and says how the order is now. So a worker that dies
costs nothing but a repetition, once its lease has run out.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from django.db import transaction

from loyalty.rewards import supplier_orders, suppliers
from loyalty.rewards.models import Supplier
from loyalty.rewards.supplier_definition import Webhook
from loyalty.rewards.supplier_orders import Health, Settled, Taken
from loyalty.rewards.suppliers import Tried

AT_ONCE = 4
# A chore has about 20 seconds; the last request may need five.
SECONDS = 14.0
FAILURES_TO_STOP = 3
FIRST_WAIT, LONGEST_WAIT = 30, 3600
# Somebody has to mend something here first: a secret, an address that we do not call.
HELD_WAIT = 600
# The order itself is what they object to.
OBJECTIONS = (400, 409, 413, 415, 422)


def run(*, now: datetime) -> int:
    """Note new orders and tell suppliers what is due; how much was done."""
    with transaction.atomic():
        new = supplier_orders.find_new(now=now)
    with transaction.atomic():
        taken = supplier_orders.take(now=now)
    if not taken:
        return new
    contents = supplier_orders.contents(taken)
    rows = {row.id: row for row in Supplier.objects.filter(id__in={one.supplier_id for one in taken})}
    hooks = {supplier_id: suppliers.webhook_of(row) for supplier_id, row in rows.items()}
    until = time.monotonic() + SECONDS
    parts = [
        (supplier_id, hook, [one for one in taken if one.supplier_id == supplier_id])
        for supplier_id, hook in sorted(hooks.items())
    ]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        results = list(
            pool.map(lambda part: _send_all(part[0], part[1], part[2], contents, now=now, until=until), parts)
        )
    settled = [one for some, _health in results for one in some]
    with transaction.atomic():
        supplier_orders.settle(settled, now=now)
        supplier_orders.note_health([health for _some, health in results if health], now=now)
    return new + sum(one.outcome != "free" for one in settled)


def _send_all(
    supplier_id: int, hook: Webhook | None, orders: Sequence[Taken], contents: dict[int, dict[str, Any]], *,
    now: datetime, until: float,
) -> tuple[list[Settled], Health | None]:  # fmt: skip
    """Tell one supplier, one order after the other, until it fails too often. Touches no database."""
    done: list[Settled] = []
    worked, failures, pause = False, 0, 0
    for order in orders:
        content = contents.get(order.redemption_id)
        stop = pause or failures >= FAILURES_TO_STOP or time.monotonic() > until
        if hook is None or content is None or stop:
            done.append(Settled(order, "free"))
            continue
        tried = suppliers.deliver(hook, content, key=f"{order.redemption_id}-{order.revision}", now=now)
        done.append(judged(order, tried))
        if not tried.fault:
            worked, failures = True, 0
        elif tried.status not in OBJECTIONS:
            failures += FAILURES_TO_STOP if tried.status is None else 1
            pause = tried.pause
    asked = any(one.outcome != "free" for one in done)
    # One address that does not answer is one failure, however many orders waited behind it.
    return done, Health(supplier_id, worked, min(failures, 1), pause) if asked else None


def judged(order: Taken, tried: Tried) -> Settled:
    """What becomes of an order after this."""
    if not tried.fault:
        return Settled(order, "told", status=tried.status)
    if tried.kind == "refused":
        return Settled(order, "held", HELD_WAIT, None, tried.fault)
    if tried.pause:
        return Settled(order, "held", tried.pause, tried.status, tried.fault)
    if tried.status in OBJECTIONS:
        return Settled(order, "dead", 0, tried.status, tried.fault)
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(order.attempts, 12))
    return Settled(order, "later", wait, tried.status, tried.fault)
