"""What is computed about a customer: `{insight: rfm_segment, in: [champions]}`, `{insight: rfm_recency, gte: 4}`."""

from difflib import get_close_matches
from typing import Any

from django.utils.translation import gettext
from pydantic import Field, field_validator

from campaigns.segments import words
from campaigns.segments.comparisons import NEGATIVE, Comparisons, misfit
from campaigns.segments.operator import Context, Operator, operators
from campaigns.segments.values import all_hold, number_value, text_value
from loyalty.insights.catalog import insights
from loyalty.kit.problems import Problem
from loyalty.kit.sql import Sql, sql

# A label is one of a few names: parts of it and patterns would break when a name changes.
_LABEL = ("eq", "ne", "in", "not_in", "is_set")


class InsightParameters(Comparisons):
    """The insight's key and the comparisons that must hold."""

    insight: str = Field(min_length=1, max_length=100)

    @field_validator("insight")
    @classmethod
    def _known(cls, value: str) -> str:
        known = list(insights())
        if value in known:
            return value
        near = get_close_matches(value, known, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        raise ValueError(f"unknown insight {value!r} ({hint})")

    def missing_matches(self) -> bool:
        """Whether the comparisons hold for somebody about whom nothing is computed."""
        return all(name in NEGATIVE or (name == "is_set" and not operand) for name, operand in self.said())


@operators.register("insight")
class InsightOperator(Operator):
    """Who bought nothing has no insights, which holds for `ne`, `not_in` and `is_set: false` only.

    It reads stored values: whoever they change for is queued as changed, so nothing has to be watched here.
    """

    parameters = InsightParameters

    def mistakes(self, parameters: InsightParameters) -> list[Problem]:
        insight = insights()[parameters.insight].insight
        found = []
        for name, operand in parameters.said():
            if insight.type == "number":
                problem = misfit(name, operand, "number")
            elif name not in _LABEL:
                problem = f"{name} does not fit a name; possible: {', '.join(_LABEL)}"
            else:
                problem = None if name == "is_set" else _unknown(operand, tuple(insight.choices))
            if problem:
                found.append(Problem(name, problem, "correct the comparison"))
        return found

    def sentence(self, parameters: InsightParameters) -> str:
        insight = insights()[parameters.insight].insight
        said = [(name, _named(operand, insight.choices)) for name, operand in parameters.said()]
        return gettext("%(insight)s %(comparison)s") % {"insight": insight.name, "comparison": words.phrase(said)}

    def condition(self, parameters: InsightParameters, context: Context) -> Sql:
        placed = insights()[parameters.insight]
        value = placed.value(Sql("i"))
        typed = number_value(value) if placed.insight.type == "number" else text_value(value)
        holds = all_hold(typed, parameters.said(), context.clock)
        absent = parameters.missing_matches()
        found = sql(
            "SELECT i.customer_id FROM customer_insight i WHERE i.feature = {feature} AND {holds}{scope}",
            feature=placed.feature,
            holds=sql("({holds}) IS NOT TRUE", holds=holds) if absent else holds,
            scope=context.within_scope("i.customer_id"),
        )
        return sql("(c.id IN ({found})) IS NOT TRUE" if absent else "c.id IN ({found})", found=found)

    def value(self, parameters: InsightParameters, context: Context) -> Sql | None:
        placed = insights()[parameters.insight]
        return sql(
            "(SELECT ({value})::text FROM customer_insight i WHERE i.feature = {feature} AND i.customer_id = c.id)",
            value=placed.value(Sql("i")),
            feature=placed.feature,
        )


def _unknown(operand: Any, choices: tuple[str, ...]) -> str | None:
    for item in operand if isinstance(operand, tuple) else (operand,):
        if item not in choices:
            near = get_close_matches(str(item), choices, n=1, cutoff=0.6)
            return f"there is no {item!r}; " + (
                f"did you mean {near[0]!r}?" if near else f"known: {', '.join(choices)}"
            )
    return None


def _named(operand: Any, choices: Any) -> Any:
    """The operand with the names that people read instead of keys."""
    if isinstance(operand, tuple):
        return tuple(_named(item, choices) for item in operand)
    return str(choices[operand]) if isinstance(operand, str) and operand in choices else operand
