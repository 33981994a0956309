"""A rule as one boolean SQL expression over the customer `c`."""

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings

from campaigns.segments import tree
from campaigns.segments.models import Segment
from campaigns.segments.operator import Context, operators
from campaigns.segments.values import Clock
from loyalty.customers.catalog import attribute_fields
from loyalty.events import types
from loyalty.kit.sql import Sql, sql


def condition(rule: tree.Rule, *, now: datetime, scope: Sql | None = None) -> Sql:
    """Boolean SQL over the alias `c` of `customer`; NULL counts as no. At most three small reads of the catalogs.

    `scope` selects the `customer_id`s that are asked about: subqueries keep to them. It does not restrict `c` itself.
    """
    return compiled(rule, context([rule], now=now, scope=scope))


def context(rules: Iterable[tree.Rule], *, now: datetime | None, scope: Sql | None = None) -> Context:
    """What the operators of these rules need to know: the fields, event types and segments that exist."""
    rules = list(rules)
    wanted = [tree.reads(rule) for rule in rules]
    events = frozenset().union(*(reads.events for reads in wanted))
    uses_fields = any(leaf.operator == "attribute" for rule in rules for leaf in tree.leaves(rule))
    return Context(
        clock=Clock(now, settings.TIME_ZONE),
        scope=scope,
        fields=attribute_fields() if uses_fields else {},
        type_ids=types.known(events) if events else {},
        segment_ids=segment_ids(frozenset().union(*(reads.segments for reads in wanted))),
    )


def segment_ids(keys: frozenset[str]) -> dict[str, int]:
    """The ids of those segments that exist, by key."""
    return dict(Segment.objects.filter(key__in=keys).values_list("key", "id")) if keys else {}


def compiled(rule: tree.Rule, context: Context) -> Sql:
    """The SQL of one node."""
    if isinstance(rule, tree.Leaf):
        return operators.get(rule.operator).condition(rule.parameters, context)
    return combined(rule.kind, [compiled(inner, context) for inner in rule.rules])


def combined(kind: str, conditions: list[Sql]) -> Sql:
    """A group's SQL from that of what is in it."""
    if not conditions:
        return Sql("TRUE" if kind == "all" else "FALSE")
    if kind == "all":
        return sql("({all})", all=Sql(" AND ").join(conditions))
    either = sql("({any})", any=Sql(" OR ").join(conditions))
    return either if kind == "any" else sql("({any} IS NOT TRUE)", any=either)
