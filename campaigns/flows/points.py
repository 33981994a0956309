"""What steps about points have in common: which program and wallet, and the orders they write.

An order is written in the statement that moves the people and carried out within seconds; its key is the enrollment,
the visit and the step, so that it happens once. Who is held out gets and loses nothing.
"""

from collections.abc import Mapping
from dataclasses import replace

from pydantic import Field, field_validator

from campaigns.flows.step import StepContext, StepParameters
from loyalty.kit.periods import Period
from loyalty.kit.sql import Sql, sql
from loyalty.program import orders
from loyalty.program.orders import Place, Wish

LARGEST = 1_000_000


def elapsed(value: str | None) -> str | None:
    """The text of an elapsed time; raises ValueError for one that depends on the calendar."""
    if value is not None and Period.parse(value).seconds is None:
        raise ValueError(f"{value!r} depends on the calendar here: write days, for example 14d")
    return value


class PointsParameters(StepParameters):
    """So many `points`; `reason` stands beside them in the ledger. `program` is only needed where there are several,
    `wallet` is the program's first unless said.
    """

    points: int = Field(ge=1, le=LARGEST)
    reason: str = Field(default="", max_length=200)
    program: str | None = None
    wallet: str | None = None

    @property
    def place(self) -> Place:
        return Place(self.program, self.wallet)

    @field_validator("reason")
    @classmethod
    def _storable(cls, value: str) -> str:
        if "\x00" in value:
            raise ValueError("holds a character that cannot be stored")
        return value


def order_ctes(name: str, wish: Wish, step: str, rows: Sql, context: StepContext) -> Sql:
    """The CTE that writes one order for each person of `rows`, but for those held out."""
    chosen = sql(
        "SELECT customer_id, md5('step:' || enrollment_id || ':' || visit || ':' || {node}::int)::uuid AS key,"
        " 'enrollment ' || enrollment_id || ', step ' || {step}::text AS source FROM ({rows}) s WHERE NOT holdout",
        node=context.node,
        step=step,
        rows=rows,
    )
    return orders.ctes(name, replace(wish, position=context.node), chosen, now=context.now)


def sentence(parameters: PointsParameters, plain: str, explained: str) -> str:
    """The fitting one of two sentences, with its values."""
    return (explained if parameters.reason else plain) % {"points": parameters.points, "reason": parameters.reason}


def paying(parameters: PointsParameters) -> Sql:
    """Integer SQL over the customer `c`: 0 for who has the points at this instant, else 1."""
    return sql("CASE WHEN {enough} THEN 0 ELSE 1 END", enough=orders.can_pay(parameters.points, parameters.place))


def payers(parameters: PointsParameters, rows: Sql) -> Sql:
    """Those of `rows` who have the points: in one statement the same as who leaves by the first exit."""
    return sql(
        "SELECT r.* FROM ({rows}) r CROSS JOIN LATERAL (SELECT r.customer_id AS id) c WHERE {enough}",
        rows=rows,
        enough=orders.can_pay(parameters.points, parameters.place),
    )


def coming(declared: Mapping[str, set[str]]) -> tuple[set[str], set[str]]:
    """Programs and tiers that the same documents bring."""
    return declared.get("program", set()), declared.get("tier", set())
