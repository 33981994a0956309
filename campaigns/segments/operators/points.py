"""Points of the loyalty program: `{points: {gte: 500}}`, `{points: expiring, within: 30d, gte: 100}`."""

from typing import Any, Literal

from django.utils.translation import gettext
from pydantic import Field, model_validator

from campaigns.segments import references, words
from campaigns.segments.comparisons import NEGATIVE, Comparisons, from_shorthand, misfit
from campaigns.segments.operator import Context, Operator, Reads, Reference, operators
from campaigns.segments.values import all_hold, number_value
from loyalty.kit.periods import Period
from loyalty.kit.problems import Problem
from loyalty.kit.sql import Sql, sql
from loyalty.program.models import Program, Wallet
from loyalty.program.names import BALANCE_FACTS

_MEMBERSHIP = ("member.joined", "member.left")
_SUMS = {
    "balance": "b.active - b.owed",
    "pending": "b.pending",
    "locked": "b.locked",
    "owed": "b.owed",
}

references.know("wallet", lambda: set(Wallet.objects.values_list("key", flat=True)))
references.know("program", lambda: set(Program.objects.values_list("key", flat=True)))


class PointsParameters(Comparisons):
    """What is compared: the balance (which can be spent or, after returns, is owed), or what is pending, locked, owed,
    was ever earned, or expires `within` a time from now. In the first wallet, unless one is named; of any program.
    """

    points: Literal["balance", "pending", "locked", "owed", "earned", "expiring"] = "balance"
    wallet: str | None = Field(None, min_length=1, max_length=100)
    program: str | None = Field(None, min_length=1, max_length=100)

    @model_validator(mode="before")
    @classmethod
    def _other_ways(cls, data: Any) -> Any:
        if not isinstance(data, dict) or isinstance(data.get("points"), str):
            if isinstance(data, dict) and data.get("points") == "expiring" and not set(data) & _NUMERIC:
                return {**data, "gte": 1}
            return data
        said = from_shorthand(data.get("points"))
        rest = {key: value for key, value in data.items() if key != "points"}
        if isinstance(said, dict):
            return {**said, **rest, "points": "balance"}
        return data

    def compared(self) -> list[tuple[str, Any]]:
        """The comparisons, without the window of what expires."""
        return [(name, operand) for name, operand in self.said() if name != "within"]

    def missing_matches(self) -> bool:
        """Whether the comparisons hold for somebody who is no member."""
        said = self.compared()
        return all(name in NEGATIVE or (name == "is_set" and not operand) for name, operand in said)


_NUMERIC = {"eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "is_set"}


@operators.register("points")
class PointsOperator(Operator):
    """Who is no member has no points, not zero: only `ne`, `not_in` and `is_set: false` hold for them."""

    parameters = PointsParameters

    def mistakes(self, parameters: PointsParameters) -> list[Problem]:
        found = []
        for name, operand in parameters.said():
            if name == "within":
                if parameters.points != "expiring":
                    found.append(Problem(name, "has a meaning only with points: expiring", "remove it"))
            elif problem := misfit(name, operand, "number"):
                found.append(Problem(name, problem, "correct the comparison"))
        if parameters.points == "expiring" and parameters.within is None:
            found.append(Problem("points", "needs a time", "add for example within: 30d"))
        if not parameters.compared():
            found.append(Problem("points", "is compared with nothing", "add for example gte: 100"))
        return found

    def sentence(self, parameters: PointsParameters) -> str:
        said = {
            "comparison": words.phrase(parameters.compared()),
            "wallet": parameters.wallet or "",
            "window": words.length(parameters.within) if isinstance(parameters.within, Period) else "",
        }
        plain = {
            "balance": gettext("the points balance %(comparison)s"),
            "pending": gettext("the number of pending points %(comparison)s"),
            "locked": gettext("the number of locked points %(comparison)s"),
            "owed": gettext("the number of owed points %(comparison)s"),
            "earned": gettext("the number of points ever earned %(comparison)s"),
            "expiring": gettext("the number of points that expire in the next %(window)s %(comparison)s"),
        }[parameters.points] % said
        return gettext("%(points)s in the wallet “%(wallet)s”") % {**said, "points": plain} if said["wallet"] else plain

    def condition(self, parameters: PointsParameters, context: Context) -> Sql:
        holds = all_hold(number_value(Sql("p.n")), parameters.compared(), context.clock)
        absent = parameters.missing_matches()
        found = sql(
            "SELECT p.customer_id FROM ({amounts}) p WHERE {holds}",
            amounts=_amounts(parameters, context, context.within_scope("m.customer_id")),
            holds=sql("({holds}) IS NOT TRUE", holds=holds) if absent else holds,
        )
        return sql("(c.id IN ({found})) IS NOT TRUE" if absent else "c.id IN ({found})", found=found)

    def value(self, parameters: PointsParameters, context: Context) -> Sql | None:
        amounts = _amounts(parameters, context, Sql(" AND m.customer_id = c.id"))
        return sql("(SELECT max(p.n)::text FROM ({amounts}) p)", amounts=amounts)

    def reads(self, parameters: PointsParameters) -> Reads:
        return Reads(events=frozenset((*BALANCE_FACTS, *_MEMBERSHIP)), clock=parameters.points == "expiring")

    def references(self, parameters: PointsParameters) -> list[Reference]:
        named = (("wallet", parameters.wallet), ("program", parameters.program))
        return [Reference(kind, key, kind) for kind, key in named if key is not None]


def _amounts(parameters: PointsParameters, context: Context, whose: Sql) -> Sql:
    """Selects customer_id and n, a row for each member."""
    which = sql(" AND w.key = {key}", key=parameters.wallet) if parameters.wallet else Sql(" AND w.position = 0")
    if parameters.program:
        which = sql(
            "{which} AND w.program_id = (SELECT g.id FROM program g WHERE g.key = {key})",
            which=which,
            key=parameters.program,
        )
    members = sql(
        "FROM member m JOIN wallet w ON w.program_id = m.program_id{which}"
        " JOIN member_balance b ON b.member_id = m.id AND b.wallet_id = w.id",
        which=which,
    )
    mine = sql(" WHERE m.customer_id IS NOT NULL{whose}", whose=whose)
    if parameters.points in _SUMS:
        return sql(
            "SELECT m.customer_id, ({n})::numeric AS n {members}{mine}",
            n=Sql(_SUMS[parameters.points]),
            members=members,
            mine=mine,
        )
    if parameters.points == "earned":
        lots = Sql("sum(l.amount - l.reversed) AS n FROM lot l WHERE l.rule_id IS NOT NULL")
    else:
        now = context.clock.instant()
        lots = sql(
            "sum(l.active) AS n FROM lot l WHERE l.open AND l.expires_at > {now} AND l.expires_at <= {until}",
            now=now,
            until=parameters.within.add_to(now, context.clock.zone),
        )
    if context.scope is not None:
        lots = sql(
            "{lots} AND l.member_id IN (SELECT s.id FROM member s WHERE s.customer_id IN ({scope}))",
            lots=lots,
            scope=context.scope,
        )
    return sql(
        "SELECT m.customer_id, coalesce(x.n, 0)::numeric AS n {members} LEFT JOIN (SELECT l.member_id, l.wallet_id,"
        " {lots} GROUP BY 1, 2) x ON x.member_id = m.id AND x.wallet_id = w.id{mine}",
        members=members,
        lots=lots,
        mine=mine,
    )
