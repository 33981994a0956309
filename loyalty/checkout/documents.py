"""The kind `store`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from loyalty.checkout import stores
from loyalty.checkout.definition import StoreDocument
from loyalty.checkout.models import Store
from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problems, from_pydantic, with_suggestion


class StoreKind:
    """A place where people buy."""

    rank = 11

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        try:
            given = StoreDocument.model_validate(document)
        except ValidationError as error:
            known = tuple(StoreDocument.model_fields)
            raise Problems([with_suggestion(problem, known) for problem in from_pydantic(error)]) from None
        return stores.save(given, now=now)

    def export(self) -> Iterable[dict[str, Any]]:
        for store in Store.objects.order_by("key"):
            yield stores.shown(store)


kinds.add("store", StoreKind())
