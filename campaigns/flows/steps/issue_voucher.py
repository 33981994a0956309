"""Give everybody who passes a voucher of a pool; templates of the same flow see it as `voucher`."""

from typing import Any

from django.utils.translation import gettext
from pydantic import Field

from campaigns.flows.step import NEXT, Declared, StepContext, StepParameters, StepType, step_types
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import Sql, sql
from loyalty.offers import issuing, queries

NONE = "none"


class IssueVoucherParameters(StepParameters):
    """`pool` is the key of a voucher pool whose codes are not shared."""

    pool: str = Field(min_length=1)


@step_types.register("issue_voucher")
class IssueVoucher(StepType):
    """Issues one voucher for each visit. Who gets none, because the pool is paused, over or empty, takes `none`.

    Of a batch that meets the last codes of a stock, those who come too late take `next` without a voucher: a message
    that shows the code is not sent to them then (render_error). People of the holdout get none.
    """

    parameters = IssueVoucherParameters

    def exits(self, parameters: IssueVoucherParameters) -> tuple[str, ...]:
        return (NEXT, NONE)

    def exit_label(self, parameters: Any, name: str) -> str:
        return gettext("no voucher left") if name == NONE else ""

    def sentence(self, parameters: IssueVoucherParameters) -> str:
        return gettext("Issue a voucher “%(pool)s”.") % {"pool": parameters.pool}

    def check(self, parameters: IssueVoucherParameters, declared: Declared) -> list[Problem]:
        if parameters.pool in declared.get("voucher_pool", ()):
            return []
        try:
            pool = queries.pool(parameters.pool)
        except Problems as error:
            return error.problems
        document = queries.document_of("voucher_pool", pool.definition)
        if document.codes.type != "shared":
            return []
        remedy = f"write {document.codes.code} into the template"
        return [Problem("pool", f"{pool.key} has one code for all: there is nothing to issue", remedy)]

    def decide(self, parameters: IssueVoucherParameters, context: StepContext) -> Sql | None:
        pool = queries.pool(parameters.pool)
        if issuing.usable(pool, now=context.now):
            return Sql("1")
        if queries.document_of("voucher_pool", pool.definition).codes.type == "generated":
            return Sql("0")
        stock = sql("EXISTS (SELECT FROM voucher v WHERE v.pool_id = {pool} AND v.state = 0)", pool=pool.pk)
        return sql("CASE WHEN {stock} THEN 0 ELSE 1 END", stock=stock)

    def effect(self, parameters: IssueVoucherParameters, context: StepContext, name: str, rows: Sql) -> Sql | None:
        pool = queries.pool(parameters.pool)
        if issuing.usable(pool, now=context.now):
            return None
        wanted = sql(
            "SELECT r.customer_id, md5('flow:' || r.enrollment_id || ':' || r.visit || ':' || {node})::uuid,"
            " NULL::numeric, NULL::timestamptz, r.enrollment_id FROM ({rows}) r WHERE NOT r.holdout",
            node=str(context.node),
            rows=rows,
        )
        return issuing.ctes(name, pool, wanted, source="flow", now=context.now)
