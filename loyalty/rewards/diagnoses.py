"""What `manage.py doctor` looks at here: rewards that run out, orders that wait."""

from collections.abc import Iterable
from datetime import timedelta

from loyalty.kit import clock, outbound
from loyalty.kit.diagnoses import Finding, broken, diagnosis, ok, warning
from loyalty.kit.sql import fetch, sql
from loyalty.rewards import board, names, supplier_orders, suppliers
from loyalty.rewards.models import Supplier

WAIT_MAX = timedelta(days=7)


@diagnosis("reward stock", order=70)
def look_at_stock() -> Iterable[Finding]:
    """Nothing on the shelf is about to run out."""
    low = board.low_stock()
    if not low:
        yield ok("no reward runs out")
    for key, left, alarm, _name in low:
        told = f"reward {key} is sold out" if not left else f"reward {key} has {left} left (alarm at {alarm})"
        yield warning(told, "add pieces or codes on its page, or take it off the shelf")


@diagnosis("reward orders", order=71)
def look_at_orders() -> Iterable[Finding]:
    """No order of a reward waits for a week."""
    rows = fetch(
        sql(
            "SELECT count(*), min(id) FROM reward_redemption WHERE state = ANY({waiting}::text[])"
            " AND ordered_at < {since}",
            waiting=[names.ORDERED, names.APPROVED, names.PACKED],
            since=clock.now() - WAIT_MAX,
        )
    )
    count, first = rows[0]
    if count:
        yield warning(
            f"{count:,} redeemed rewards wait for more than {WAIT_MAX.days} days, the first is number {first}",
            "work them off on the board of redeemed rewards, or cancel them: the points come back",
        )
    else:
        yield ok("no redeemed reward waits for long")


@diagnosis("suppliers", order=72)
def look_at_suppliers() -> Iterable[Finding]:
    """Suppliers with a webhook can be reached and were told of everything."""
    try:
        outbound.policy()
    except ValueError as error:
        yield broken(f"OUTBOUND_ALLOW: {error}", "write networks, hosts or host:port, separated by commas")
        return
    counts = supplier_orders.counts()
    for supplier in Supplier.objects.order_by("key"):
        hook = suppliers.webhook_of(supplier)
        if hook is None:
            continue
        dead = counts.get(supplier.pk, {}).get("dead", 0)
        if wrong := suppliers.secret_problem(hook):
            yield broken(f"supplier {supplier.key}: {wrong}", "set it in the environment of the web server and workers")
        elif why := outbound.objection(hook.url):
            yield broken(
                f"supplier {supplier.key}: its address {why}", "correct its document, or the settings OUTBOUND_*"
            )
        elif dead:
            yield warning(
                f"supplier {supplier.key}: {dead:,} orders were given up", "look at its page, then have them sent again"
            )
        elif supplier.failures >= supplier_orders.FAILURES_TO_REST:
            yield warning(f"supplier {supplier.key} does not answer", "try it on its page; orders wait meanwhile")
        else:
            yield ok(f"supplier {supplier.key}")
