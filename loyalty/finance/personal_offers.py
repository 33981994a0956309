"""Personal offers in the result: what their rounds brought against the people held out, in the month they ended."""

from datetime import datetime
from decimal import Decimal

from loyalty.finance.uplift import Uplift, measure_uplift
from loyalty.offers import results


def personal_offers(program: str, start: datetime, end: datetime) -> list[Uplift]:
    """One for each offer with a measured round that ended then; one query."""
    found = []
    for key, name, result in results.measured_between(program, start, end):
        difference, people = result.difference, result.offered.people
        found.append(
            Uplift(
                f"offer:{key}",
                _cents(difference.total),
                people,
                result.held.people,
                _cents(difference.low * people),
                _cents(difference.high * people),
                difference.verdict,
                name,
            )
        )
    return found


def _cents(amount: float) -> Decimal:
    return Decimal(str(round(amount, 2)))


measure_uplift("personal_offers", personal_offers)
