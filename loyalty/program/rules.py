"""Pure: an earning rule ready to be carried out: its document, its part and the part's parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from loyalty.kit.problems import Problem, Problems, from_pydantic, with_suggestion
from loyalty.kit.registry import UnknownPart
from loyalty.program.definition import Expiry
from loyalty.program.earning_part import EarningPart, earning
from loyalty.program.names import PURCHASE
from loyalty.program.rule_definition import COMMON, RuleDocument


@dataclass(frozen=True, slots=True)
class Rule:
    """`id` and `wallet_id` are those of the tables; `rest` is what its budget still has, None without one.

    `awaits` is the event that its points wait for, `pending_seconds` at most; `lapses`: without it they are taken back.
    `worth` is what a point costs; `protected`: all rules together never give more for a line than its margin.
    """

    id: int
    wallet_id: int
    document: RuleDocument
    part: EarningPart
    parameters: Any
    pending_seconds: int = 0
    expiry: Expiry | None = None
    rest: int | None = None
    awaits: str | None = None
    lapses: bool = False
    worth: Decimal = Decimal(0)
    protected: bool = False

    @property
    def guarded(self) -> bool:
        """Whether the margin of a line limits its points."""
        limited = self.protected or self.document.margin_floor is not None
        return bool(self.worth) and limited and PURCHASE in self.part.kinds


def read(document: dict[str, Any]) -> tuple[RuleDocument, EarningPart, Any]:
    """The three sides of a rule's document; raises Problems, all at once."""
    problems: list[Problem] = []
    common = {name: value for name, value in document.items() if name in COMMON}
    own = {name: value for name, value in document.items() if name not in COMMON}
    rule = part = parameters = None
    try:
        rule = RuleDocument.model_validate(common)
    except ValidationError as error:
        problems += from_pydantic(error)
    kind = document.get("type")
    if isinstance(kind, str):
        try:
            part = earning.get(kind)
        except UnknownPart as error:
            problems.append(Problem("type", str(error.args[0])))
    if part is not None:
        try:
            parameters = part.parameters.model_validate(own)
        except ValidationError as error:
            known = (*part.parameters.model_fields, *COMMON)
            problems += [with_suggestion(problem, tuple(sorted(known))) for problem in from_pydantic(error)]
    if problems or rule is None or part is None:
        raise Problems(problems)
    return rule, part, parameters


def in_order(rules: Sequence[Rule]) -> list[Rule]:
    """By priority, then key; never by when somebody edited them."""
    return sorted(rules, key=lambda rule: (rule.document.priority, rule.document.key))


def blockers(rules: Sequence[Rule], position: int) -> list[int]:
    """The positions of the earlier rules that, when they give something, keep this one from applying."""
    mine = rules[position].document.exclusive
    return [
        place
        for place, rule in enumerate(rules[:position])
        if rule.document.stop or (mine is not None and rule.document.exclusive == mine)
    ]


def bases(rules: Sequence[Rule], position: int) -> list[int]:
    """The positions of the earlier rules whose points a multiplier multiplies."""
    wallet_id = rules[position].wallet_id
    return [
        place for place, rule in enumerate(rules[:position]) if rule.wallet_id == wallet_id and not rule.part.multiplies
    ]
