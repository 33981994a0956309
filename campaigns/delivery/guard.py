"""The contract of a send guard and the one SQL judgment that all of them form together.

A guard never looks at one person: it adds joins and one condition to the statement that judges a whole set. The same
guards judge twice: when a message is planned (so that the count of a campaign is honest at once) and again, under row
locks of the customers, in the transaction that marks it started.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from campaigns.delivery.reasons import NUMBERS
from loyalty.kit.registry import Registry
from loyalty.kit.sql import Sql, identifier, sql

# A delay is no reason to skip: its code never reaches a message, only the verdict.
DELAY = -1


@dataclass(frozen=True, slots=True)
class ExitRule:
    """The exit events of some dispatches: `applies` is a boolean SQL over the judged row."""

    applies: Sql
    events: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a guard may name in its SQL.

    Alias in the statement: `c` the customer (all NULL when erased). The fields are SQL expressions over the judged
    row, or constants at plan time; None means that the question does not arise there.
    """

    channel: str
    purpose: Sql
    entered_at: Sql
    customer_id: Sql
    now: datetime
    holdout: Sql | None = None
    dispatch_state: Sql | None = None
    sender_state: Sql | None = None
    exits: Sequence[ExitRule] = ()
    message_id: Sql | None = None
    topic: Sql | None = None
    product_group: Sql | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One guard's share of the judgment.

    `refuses` and `delays` are boolean SQL (NULL counts as false). `columns` are kept for the facts; `facts` is a jsonb
    expression over those columns by their names. `joins` must never multiply rows.
    """

    refuses: Sql
    facts: Sql = Sql("'{}'::jsonb")
    joins: Sql = Sql("")
    columns: Mapping[str, Sql] = field(default_factory=dict)
    delays: Sql | None = None
    delay_code: str = ""


class Guard(Protocol):
    """`order` is its place among the gates (the first refusal counts), `code` the reason of its refusals."""

    order: int
    code: str

    def part(self, scope: Scope) -> Part | None:
        """This guard's share, or None when it has nothing to say in this scope."""
        ...


guards: Registry[Guard] = Registry("guard", package="campaigns.delivery.guards")


@dataclass(frozen=True, slots=True)
class Judgment:
    """All guards as SQL. `joins` and `columns` go into the judging select and give it the column `verdict` (0 = go) and
    what the facts need; `reason` (a message's reason, 0 = go, -1 = delay), `gate`, `code` and `facts` are expressions
    over the judged rows."""

    joins: Sql
    columns: Sql
    reason: Sql
    gate: Sql
    code: Sql
    facts: Sql


def in_order() -> list[tuple[str, Guard]]:
    """The guards as (key, guard) in the order in which they judge."""
    return sorted(guards.items(), key=lambda item: (item[1].order, item[0]))


def judgment(scope: Scope) -> Judgment:
    """The judgment of every guard for `scope`. Used by `plan` and by `start`."""
    parts = [(key, guard, part) for key, guard in in_order() if (part := guard.part(scope)) is not None]
    whens: list[Sql] = []
    gates: list[Sql] = []
    codes: list[Sql] = []
    facts: list[Sql] = []
    columns: list[Sql] = []
    for place, (key, guard, part) in enumerate(parts, start=1):
        # The verdict's number is place * 2 (skip) or place * 2 + 1 (delay): gate, code and facts follow from it.
        skip, delay = place * 2, place * 2 + 1
        whens.append(sql("WHEN {refuses} THEN {number}", refuses=part.refuses, number=_literal(skip)))
        gates.append(sql("WHEN {place} THEN {gate}", place=_literal(place), gate=_text(key)))
        codes.append(sql("WHEN {number} THEN {code}", number=_literal(skip), code=_text(guard.code)))
        facts.append(sql("WHEN {place} THEN {facts}", place=_literal(place), facts=part.facts))
        if part.delays is not None:
            whens.append(sql("WHEN {delays} THEN {number}", delays=part.delays, number=_literal(delay)))
            codes.append(sql("WHEN {number} THEN {code}", number=_literal(delay), code=_text(part.delay_code)))
        columns += [
            sql(", {value} AS {name}", value=value, name=identifier(name)) for name, value in part.columns.items()
        ]
    numbers = [
        sql("WHEN {number} THEN {reason}", number=_literal(place * 2), reason=_literal(NUMBERS[guard.code]))
        for place, (_key, guard, _part) in enumerate(parts, start=1)
    ]
    return Judgment(
        # Guards that look at the same row write the same join, which is made once.
        joins=Sql(" ").join(dict.fromkeys(part.joins for _key, _guard, part in parts)),
        columns=sql(
            ", (CASE {whens} ELSE 0 END)::smallint AS verdict{columns}",
            whens=Sql(" ").join(whens),
            columns=Sql("").join(columns),
        ),
        reason=sql(
            "(CASE verdict WHEN 0 THEN 0 {numbers} ELSE {delay} END)::smallint",
            numbers=Sql(" ").join(numbers),
            delay=_literal(DELAY),
        ),
        gate=sql("(CASE verdict / 2 {gates} END)", gates=Sql(" ").join(gates)),
        code=sql("(CASE verdict {codes} END)", codes=Sql(" ").join(codes)),
        facts=sql("(CASE verdict / 2 {facts} END)", facts=Sql(" ").join(facts)),
    )


def _literal(number: int) -> Sql:
    """Our own small number, written out so that the planner sees a constant."""
    return Sql(str(int(number)))


def _text(word: str) -> Sql:
    """A key from the project's own catalog as a literal: a CASE of bound parameters would have no type."""
    return Sql("'" + word.replace("'", "''").replace("%", "%%") + "'")
