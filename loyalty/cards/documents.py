"""The kind `card_series`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from loyalty.cards import series
from loyalty.cards.definition import SeriesDocument
from loyalty.cards.models import CardSeries
from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problems, from_pydantic, with_suggestion


class CardSeriesKind:
    """Where card numbers come from."""

    rank = 15

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        try:
            given = SeriesDocument.model_validate(document)
        except ValidationError as error:
            known = tuple(SeriesDocument.model_fields)
            raise Problems([with_suggestion(problem, known) for problem in from_pydantic(error)]) from None
        return series.save(given, now=now)

    def export(self) -> Iterable[dict[str, Any]]:
        for one in CardSeries.objects.order_by("id"):
            yield series.shown(one)


kinds.add("card_series", CardSeriesKind())
