"""The kinds `partner` and `foreign_program`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from loyalty.kit.documents import Change, kinds
from loyalty.kit.problems import Problem, Problems, from_pydantic, with_suggestion
from loyalty.partners import operations
from loyalty.partners.definition import ForeignDocument, PartnerDocument
from loyalty.partners.models import ForeignProgram, Partner
from loyalty.program.models import Program

D = TypeVar("D", bound=BaseModel)


def _read(shape: type[D], document: dict[str, Any], declared: dict[str, set[str]]) -> D:
    try:
        found = shape.model_validate(document)
    except ValidationError as error:
        known = tuple(sorted(info.alias or name for name, info in shape.model_fields.items()))
        raise Problems([with_suggestion(problem, known) for problem in from_pydantic(error)]) from None
    coming, named = declared.get("program", set()), document.get("program")
    missing = not Program.objects.filter(**({"key": named} if named else {})).exists()
    if missing and (named in coming if named else bool(coming)):
        raise Problems([Problem("program", "has mistakes of its own", "correct the program first")])
    return found


class PartnerKind:
    """A partner of the program: shops, prices of points, data contract."""

    rank = 15

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        return operations.save_partner(_read(PartnerDocument, document, declared), now=now)

    def export(self) -> Iterable[dict[str, Any]]:
        for partner in Partner.objects.order_by("key"):
            yield partner.definition


class ForeignKind:
    """A program of somebody else whose balances are mirrored."""

    rank = 15

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        return operations.save_foreign(_read(ForeignDocument, document, declared), now=now)

    def export(self) -> Iterable[dict[str, Any]]:
        for foreign in ForeignProgram.objects.order_by("key"):
            yield foreign.definition


kinds.add("partner", PartnerKind())
kinds.add("foreign_program", ForeignKind())
