"""The kinds `reward_category` and `reward`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problem, Problems, from_pydantic, with_suggestion
from loyalty.program.models import Program
from loyalty.rewards import operations, suppliers
from loyalty.rewards.definition import CategoryDocument, RewardDocument
from loyalty.rewards.models import Reward, RewardCategory, Supplier
from loyalty.rewards.supplier_definition import SupplierDocument

D = TypeVar("D", bound=BaseModel)


def _read(shape: type[D], document: dict[str, Any]) -> D:
    try:
        return shape.model_validate(document)
    except ValidationError as error:
        known = tuple(sorted(info.alias or name for name, info in shape.model_fields.items()))
        raise Problems([with_suggestion(problem, known) for problem in from_pydantic(error)]) from None


class CategoryKind:
    """A category of the shop."""

    rank = 15

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        return operations.save_category(_read(CategoryDocument, document), now=now)

    def export(self) -> Iterable[dict[str, Any]]:
        for category in RewardCategory.objects.order_by("position", "key"):
            yield operations.category_document(category)


class SupplierKind:
    """Who sends rewards out."""

    rank = 15

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        return suppliers.save_supplier(_read(SupplierDocument, document), now=now)

    def export(self) -> Iterable[dict[str, Any]]:
        for supplier in Supplier.objects.order_by("key"):
            yield supplier.definition


class RewardKind:
    """Something to redeem points for. After the segments, which say who sees it."""

    rank = 45

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        given = _read(RewardDocument, document)
        coming = declared.get("program", set())
        if given.program in coming and not Program.objects.filter(key=given.program).exists():
            raise Problems([Problem("program", "has mistakes of its own", "correct the program first")])
        return operations.save_reward(given, now=now, coming=declared.get("reward", set()))

    def export(self) -> Iterable[dict[str, Any]]:
        # What a bundle or a draw names comes before it.
        rows = sorted(Reward.objects.order_by("key"), key=lambda row: row.type in ("bundle", "draw_ticket"))
        for row in sorted(rows, key=lambda row: row.type == "draw_ticket"):
            yield {"kind": "reward", "key": row.key, **row.definition}


kinds.add("reward_category", CategoryKind())
kinds.add("supplier", SupplierKind())
kinds.add("reward", RewardKind())
