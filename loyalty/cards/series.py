"""Series of card numbers are written as documents."""

from datetime import datetime
from typing import Any

from django.db import transaction

from loyalty.cards.definition import SeriesDocument
from loyalty.cards.models import Card, CardSeries
from loyalty.kit.documents import Change
from loyalty.kit.problems import Problem, Problems

# What numbers look like cannot change once there are some.
FIXED = ("prefix", "digits", "holder")


def shown(series: CardSeries) -> dict[str, Any]:
    """The document that `apply` would leave unchanged."""
    given = SeriesDocument(
        key=series.key,
        name=series.name,
        prefix=series.prefix,
        digits=series.length,
        order=series.order,  # type: ignore[arg-type]
        start=series.first_number,
        holder=series.holder,  # type: ignore[arg-type]
    )
    return {"kind": "card_series", "key": series.key, **given.plain()}


@transaction.atomic
def save(given: SeriesDocument, *, now: datetime) -> Change:
    """Make or change a series; raises Problems where cards exist that would not fit any more."""
    stored = CardSeries.objects.select_for_update().filter(key=given.key).first()
    values = {
        "name": given.name,
        "prefix": given.prefix,
        "length": given.digits,
        "order": given.order,
        "holder": given.holder,
        "first_number": given.start,
    }
    clash = CardSeries.objects.filter(prefix=given.prefix, length=given.digits).exclude(key=given.key).first()
    if clash:
        remedy = "choose another prefix or length"
        raise Problems([Problem("prefix", f"the series {clash.key} has the same numbers", remedy)])
    if stored is None:
        made = CardSeries.objects.create(
            key=given.key, next_number=given.start, created_at=now, updated_at=now, **values
        )  # fmt: skip
        return Change("card_series", given.key, "created", None, shown(made))
    before = shown(stored)
    for name, value in values.items():
        setattr(stored, name, value)
    after = shown(stored)
    if after == before:
        return Change("card_series", given.key, "unchanged", before, after)
    moved = [name for name in FIXED if before.get(name) != after.get(name)]
    if moved and Card.objects.filter(series_id=stored.pk).exists():
        remedy = "apply a series under a new key"
        raise Problems([Problem(name, "cannot change: there are cards of this series", remedy) for name in moved])
    if before.get("start") != after.get("start"):
        stored.next_number = max(stored.next_number, given.start)
    stored.updated_at = now
    stored.save()
    return Change("card_series", given.key, "updated", before, after)
