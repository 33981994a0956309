"""A stable random part of all customers: `{bucket: autumn, from: 0, to: 0.1}`."""

from django.utils.translation import gettext
from pydantic import BaseModel, ConfigDict, Field, model_validator

from campaigns.segments.operator import Context, Operator, operators
from loyalty.kit.buckets import place_sql
from loyalty.kit.sql import Sql, sql


class BucketParameters(BaseModel):
    """The seed, and the part `[from, to)` of the circle that is taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bucket: str = Field(min_length=1, max_length=100)
    start: float = Field(alias="from", default=0.0, ge=0.0, le=1.0)
    end: float = Field(alias="to", ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _not_empty(self) -> "BucketParameters":
        if self.start >= self.end:
            raise ValueError("'from' must be below 'to', for example from: 0, to: 0.1")
        return self


@operators.register("bucket")
class BucketOperator(Operator):
    """The same people for the same seed, always; other seeds draw independently."""

    parameters = BucketParameters

    def sentence(self, parameters: BucketParameters) -> str:
        return gettext("belongs to the part from %(start)g to %(end)g %% of the random draw “%(bucket)s”") % {
            "start": parameters.start * 100,
            "end": parameters.end * 100,
            "bucket": parameters.bucket,
        }

    def condition(self, parameters: BucketParameters, context: Context) -> Sql:
        return sql(
            "({place} >= {start}::float8 AND {place} < {end}::float8)",
            place=place_sql(parameters.bucket, Sql("c.id")),
            start=parameters.start,
            end=parameters.end,
        )

    def value(self, parameters: BucketParameters, context: Context) -> Sql | None:
        return sql("round(({place})::numeric, 6)::text", place=place_sql(parameters.bucket, Sql("c.id")))
