"""Membership in another segment: `{segment: employees}`. It asks the stored members, so nothing is computed twice."""

from django.utils.translation import gettext
from pydantic import BaseModel, ConfigDict, Field

from campaigns.segments.operator import Context, Operator, Reads, operators
from loyalty.kit.sql import Sql, sql


class SegmentParameters(BaseModel):
    """The other segment's key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    segment: str = Field(min_length=1, max_length=100)


@operators.register("segment")
class SegmentOperator(Operator):
    """A segment that does not exist (yet) has no members."""

    parameters = SegmentParameters

    def sentence(self, parameters: SegmentParameters) -> str:
        return gettext("is in the segment “%(segment)s”") % {"segment": parameters.segment}

    def condition(self, parameters: SegmentParameters, context: Context) -> Sql:
        inner = context.segment_ids.get(parameters.segment)
        if inner is None:
            return Sql("FALSE")
        return sql(
            "c.id IN (SELECT m.customer_id FROM segment_member m WHERE m.segment_id = {inner}{scope})",
            inner=inner,
            scope=context.within_scope("m.customer_id"),
        )

    def value(self, parameters: SegmentParameters, context: Context) -> Sql | None:
        return sql(
            "(SELECT m.since::text FROM segment_member m WHERE m.segment_id = {inner}::int AND m.customer_id = c.id)",
            inner=context.segment_ids.get(parameters.segment),
        )

    def reads(self, parameters: SegmentParameters) -> Reads:
        return Reads(segments=frozenset({parameters.segment}))
