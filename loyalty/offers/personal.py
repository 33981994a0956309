"""Pure: an offer as it is for one person: with that person's target and size in the place of everybody's."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from loyalty.offers.definition import SIZES, OfferDocument


@dataclass(frozen=True, slots=True)
class Mine:
    """A person's part in the running round of an offer; `size` None: nothing is offered."""

    given_at: datetime
    ends_at: datetime
    held_out: bool
    explored: bool
    band: int
    step: int | None
    size: Decimal | None
    usual: Decimal
    threshold: Decimal | None
    category: str | None
    expected: Decimal | None

    @property
    def offered(self) -> bool:
        return not self.held_out and self.size is not None


def last_day(ends_at: datetime, zone: str) -> date:
    """The last day of a round that ends at midnight."""
    return (ends_at.astimezone(ZoneInfo(zone)) - timedelta(seconds=1)).date()


def for_person(document: OfferDocument, mine: Mine | None, *, zone: str) -> OfferDocument:
    """The offer with the person's target and size; without them one that nobody was given."""
    if mine is None or mine.size is None or mine.held_out:
        return document.model_copy(update={"given": True})
    name = SIZES[document.benefit.type]
    size = int(mine.size) if name == "points" else mine.size.normalize()
    when = document.when
    end = last_day(mine.ends_at, document.timezone or zone)
    changed: dict[str, object] = {"end": min(end, when.end) if when.end else end}
    if mine.threshold is not None:
        changed["minimum"] = mine.threshold
    if mine.category is not None:
        changed["only"] = when.only.model_copy(update={"category": [mine.category]})
    limits = document.limits
    return document.model_copy(
        update={
            "given": True,
            "benefit": document.benefit.model_copy(update={name: size}),
            "when": when.model_copy(update=changed),
            "limits": limits.model_copy(update={"person": limits.person or 1}),
        }
    )
