"""The tier in the loyalty program: `{tier: gold}`, `{tier: [gold, platinum]}`, `{tier: {gte: gold}}` by rank."""

from typing import Annotated, Any

from django.utils.translation import gettext
from pydantic import BaseModel, BeforeValidator, ConfigDict

from campaigns.segments import references, words
from campaigns.segments.comparisons import NEGATIVE, Keys, Truth, from_shorthand
from campaigns.segments.operator import Context, Operator, Reads, Reference, operators
from loyalty.kit.sql import Sql, sql
from loyalty.program.models import Tier

_ORDER = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_NAMES = ("eq", "ne", *_ORDER, "in", "not_in", "is_set")

references.know("tier", lambda: set(Tier.objects.values_list("key", flat=True)))


def _key(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 100:
        raise ValueError("must be the key of a tier")
    return value


Key = Annotated[Any, BeforeValidator(_key)]


class TierComparisons(BaseModel):
    """Comparisons with the tier a member has; those of order go by rank, within the tier's own program."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    eq: Key = None
    ne: Key = None
    gt: Key = None
    gte: Key = None
    lt: Key = None
    lte: Key = None
    in_: Keys = None
    not_in: Keys = None
    is_set: Truth = None

    def said(self) -> list[tuple[str, Any]]:
        """The comparisons that were written."""
        fields = [(name, "in_" if name == "in" else name) for name in _NAMES]
        return [(name, getattr(self, field)) for name, field in fields if field in self.model_fields_set]


def _compared(value: Any) -> Any:
    value = from_shorthand(value)
    if isinstance(value, dict):
        if not value:
            raise ValueError(f"says no comparison; known: {', '.join(_NAMES)}")
        return {("in_" if name == "in" else name): operand for name, operand in value.items()}
    return value


class TierParameters(BaseModel):
    """One tier, a list of them, or comparisons."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tier: Annotated[TierComparisons, BeforeValidator(_compared)]


@operators.register("tier")
class TierOperator(Operator):
    """Who has no tier, or is no member, fits `ne`, `not_in` and `is_set: false` only."""

    parameters = TierParameters

    def vocabulary(self, place: str) -> tuple[str, ...]:
        return _NAMES if place else ("tier",)

    def sentence(self, parameters: TierParameters) -> str:
        return gettext("the tier %(comparison)s") % {"comparison": words.phrase(parameters.tier.said())}

    def condition(self, parameters: TierParameters, context: Context) -> Sql:
        return sql("({all})", all=Sql(" AND ").join(_one(*one, context) for one in parameters.tier.said()))

    def value(self, parameters: TierParameters, context: Context) -> Sql | None:
        return Sql(
            "(SELECT string_agg(t.key, ', ' ORDER BY t.key) FROM member m JOIN tier t ON t.id = m.tier_id"
            " WHERE m.customer_id = c.id)"
        )

    def reads(self, parameters: TierParameters) -> Reads:
        return Reads(events=frozenset({"tier.changed", "member.left"}))

    def references(self, parameters: TierParameters) -> list[Reference]:
        found = []
        for name, operand in parameters.tier.said():
            if name != "is_set":
                keys = operand if isinstance(operand, tuple) else (operand,)
                found += [Reference("tier", key, "tier") for key in keys]
        return found


def _one(name: str, operand: Any, context: Context) -> Sql:
    if name == "is_set":
        which = Sql("TRUE")
    elif name in _ORDER:
        which = sql(
            "t.rank {sign} (SELECT r.rank FROM tier r WHERE r.key = {key} AND r.program_id = t.program_id)",
            sign=Sql(_ORDER[name]),
            key=operand,
        )
    else:
        which = sql("t.key = ANY({keys}::text[])", keys=list(operand) if isinstance(operand, tuple) else [operand])
    found = sql(
        "c.id IN (SELECT m.customer_id FROM member m JOIN tier t ON t.id = m.tier_id"
        " WHERE m.customer_id IS NOT NULL AND {which}{scope})",
        which=which,
        scope=context.within_scope("m.customer_id"),
    )
    absent = name in NEGATIVE or (name == "is_set" and not operand)
    return sql("({found}) IS NOT TRUE", found=found) if absent else found
