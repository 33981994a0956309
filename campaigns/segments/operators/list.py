"""Standing on a list that people keep by hand or by file: `{list: vip_guests}`."""

from django.utils.translation import gettext
from pydantic import BaseModel, ConfigDict, Field

from campaigns.segments import lists
from campaigns.segments.operator import Context, Operator, Reference, operators
from loyalty.kit.sql import Sql, sql


class ListParameters(BaseModel):
    """The list's key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    list: str = Field(min_length=1, max_length=100)


@operators.register("list")
class ListOperator(Operator):
    """Every change of a list queues the people concerned, so nothing else needs to be watched."""

    parameters = ListParameters

    def sentence(self, parameters: ListParameters) -> str:
        return gettext("is on the list “%(list)s”") % {"list": parameters.list}

    def condition(self, parameters: ListParameters, context: Context) -> Sql:
        return sql(
            "c.id IN (SELECT l.customer_id FROM customer_list_member l WHERE l.list_id = {id}{scope})",
            id=_id(parameters),
            scope=context.within_scope("l.customer_id"),
        )

    def value(self, parameters: ListParameters, context: Context) -> Sql | None:
        return sql(
            "(SELECT l.added_at::text FROM customer_list_member l WHERE l.list_id = {id} AND l.customer_id = c.id)",
            id=_id(parameters),
        )

    def references(self, parameters: ListParameters) -> list[Reference]:
        return [Reference(lists.KIND, parameters.list, "list")]


def _id(parameters: ListParameters) -> Sql:
    # Read with the statement: a list of that name that is deleted and made again is another list.
    return sql("(SELECT n.id FROM customer_list n WHERE n.key = {key})", key=parameters.list)
