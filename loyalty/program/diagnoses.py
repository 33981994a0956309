"""What can be wrong with a loyalty program: points that expire too early, orders that nobody works."""

from collections.abc import Iterable

from loyalty.kit import clock
from loyalty.kit.diagnoses import Finding, diagnosis, ok, warning
from loyalty.kit.sql import fetch, sql
from loyalty.program import budgets
from loyalty.program.definition import SHORTEST_MONTHS, Expiry
from loyalty.program.setup import Setup, load_all


def short_expiries(setup: Setup) -> list[str]:
    """Wallets and rules of the program whose points expire earlier than is safe in Germany."""
    given = [(f"wallet {wallet.key}", wallet.expiry) for wallet in setup.document.wallets]
    given += [(f"rule {rule.document.key}", rule.document.expiry) for rule in setup.rules if rule.document.expiry]
    return [name for name, expiry in given if isinstance(expiry, Expiry) and expiry.short and not expiry.activity]


def _budgets(setup: Setup) -> Iterable[Finding]:
    for one in budgets.forecasts(setup, now=clock.now()).values():
        if one.empty:
            yield warning(f"rule {one.rule}: its budget is used up, it gives nothing", "raise it, or pause the rule")
        elif one.soon:
            yield warning(
                f"rule {one.rule}: its budget lasts until {one.empty_on} at the pace of the last weeks"
                f" ({one.per_day} points a day, {one.rest} left)",
                "raise it, or lower caps; it is a hard stop",
            )


@diagnosis("loyalty", order=60)
def programs() -> Iterable[Finding]:
    """Points live long enough, and orders of points are worked."""
    setups = load_all()
    for setup in setups:
        for name in short_expiries(setup):
            yield warning(
                f"{setup.key}, {name}: points expire before the end of the year in which {SHORTEST_MONTHS} months end",
                "German courts have declared shorter terms void; leave expiry out, or have a lawyer look",
            )
        yield from _budgets(setup)
    late = fetch(
        sql(
            "SELECT count(*) FROM (SELECT FROM points_order WHERE settled_at IS NULL"
            " AND wanted_at < clock_timestamp() - interval '1 hour' LIMIT 1000) o"
        )
    )[0][0]
    if late:
        yield warning(f"{late} orders of points wait for more than an hour", "start a worker: manage.py up")
    if setups:
        yield ok(f"programs: {', '.join(setup.key for setup in setups)}")
