"""The kind `valuation`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from loyalty.finance import operations
from loyalty.finance.definition import ValuationDocument
from loyalty.finance.models import Valuation
from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problem, Problems, from_pydantic, with_suggestion
from loyalty.program.models import Program


class ValuationKind:
    """How a program's points are valued in the books; its key is the program's."""

    rank = 16

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        try:
            given = ValuationDocument.model_validate(document)
        except ValidationError as error:
            known = tuple(sorted(ValuationDocument.model_fields))
            raise Problems([with_suggestion(problem, known) for problem in from_pydantic(error)]) from None
        coming = given.key in declared.get("program", set())
        if coming and not Program.objects.filter(key=given.key).exists():
            raise Problems([Problem("key", "the program has mistakes of its own", "correct the program first")])
        return operations.save_valuation(given, now=now)

    def export(self) -> Iterable[dict[str, Any]]:
        for valuation in Valuation.objects.exclude(definition={}).order_by("program__key"):
            yield valuation.definition


kinds.add("valuation", ValuationKind())
