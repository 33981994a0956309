"""The kinds `voucher_pool` and `offer`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problems, from_pydantic, with_suggestion
from loyalty.offers import operations
from loyalty.offers.definition import OfferDocument, PoolDocument
from loyalty.offers.models import Offer, VoucherPool

D = TypeVar("D", bound=BaseModel)


def read(shape: type[D], document: dict[str, Any]) -> D:
    """The document; raises Problems, all at once."""
    try:
        return shape.model_validate(document)
    except ValidationError as error:
        known = tuple(sorted(info.alias or name for name, info in shape.model_fields.items()))
        raise Problems([with_suggestion(problem, known) for problem in from_pydantic(error)]) from None


class PoolKind:
    """Codes that give the same: discounts, free articles, gift cards."""

    rank = 40

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        return operations.save_pool(read(PoolDocument, document), now=now, declared=declared)

    def export(self) -> Iterable[dict[str, Any]]:
        # A pool that gives vouchers of another comes after it.
        pools = list(VoucherPool.objects.order_by("key"))
        for pool in sorted(pools, key=lambda one: "pool" in one.definition["benefit"]):
            yield pool.definition


class OfferKind:
    """What customers find in their wallets and use without a code."""

    rank = 41

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        return operations.save_offer(read(OfferDocument, document), now=now, declared=declared)

    def export(self) -> Iterable[dict[str, Any]]:
        for offer in Offer.objects.order_by("key"):
            yield offer.definition


kinds.add("voucher_pool", PoolKind())
kinds.add("offer", OfferKind())
