"""The kind `plan`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problem, Problems, from_pydantic, with_suggestion
from loyalty.program.models import Program
from loyalty.subscriptions import operations
from loyalty.subscriptions.definition import PlanDocument
from loyalty.subscriptions.models import Plan


class PlanKind:
    """A paid membership. After tiers and voucher pools, which it may bring."""

    rank = 46

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        try:
            given = PlanDocument.model_validate(document)
        except ValidationError as error:
            known = tuple(sorted(PlanDocument.model_fields))
            raise Problems([with_suggestion(problem, known) for problem in from_pydantic(error)]) from None
        if given.program in declared.get("program", set()) and not Program.objects.filter(key=given.program).exists():
            raise Problems([Problem("program", "has mistakes of its own", "correct the program first")])
        return operations.save_plan(given, now=now)

    def export(self) -> Iterable[dict[str, Any]]:
        for plan in Plan.objects.order_by("key"):
            yield {"kind": "plan", "key": plan.key, **plan.definition}


kinds.add("plan", PlanKind())
