"""What flows bring to a loyalty program: people who went through them beside the people they held out.

Of everybody who entered a flow with a holdout, the purchases of four weeks from the first entry count, as far as they
lie in the month that is asked for. Nobody is looked at who is no member: the ledger knows only members.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from loyalty.finance.uplift import Uplift, measure_uplift
from loyalty.kit.sql import Sql, fetch, sql
from loyalty.offers.comparing import Group, difference
from loyalty.offers.targets import TOLD
from loyalty.program.models import Program

WINDOW = timedelta(days=28)

_PEOPLE = """WITH entered AS MATERIALIZED (
    SELECT e.flow_id, e.customer_id, bool_or(e.holdout) AS holdout, greatest(min(e.entered_at), {start}) AS first,
        least(max(e.entered_at) + {window}, {end}) AS last
    FROM enrollment e WHERE e.flow_id = ANY({flows}::int[]) AND e.entered_at > {start}::timestamptz - {window}
        AND e.entered_at < {end} GROUP BY 1, 2),
  person AS (
    SELECT e.flow_id, e.holdout, coalesce(b.told, 0) AS told, coalesce(b.untold, 0) AS untold,
        coalesce(b.of_told, 0) AS of_told
    FROM entered e JOIN member m ON m.customer_id = e.customer_id AND m.program_id = {program}
    LEFT JOIN LATERAL (
        SELECT sum(t.margin - coalesce(back.margin, 0)) AS told,
            sum(b.amount - coalesce(back.amount, 0)) FILTER (WHERE t.margin IS NULL) AS untold,
            sum(b.amount - coalesce(back.amount, 0)) FILTER (WHERE t.margin IS NOT NULL) AS of_told
        FROM booking b CROSS JOIN LATERAL (SELECT {told} AS margin) t
        LEFT JOIN LATERAL (SELECT sum(x.amount) AS amount, sum(x.margin) AS margin FROM booking x
            WHERE x.original_id = b.id AND x.kind IN ('return', 'void')) back ON TRUE
        WHERE b.member_id = m.id AND b.kind = 'purchase' AND b.occurred_at >= e.first AND b.occurred_at < e.last
    ) b ON TRUE)
SELECT flow_id, holdout, count(*), sum(told), sum(untold), sum(told * told), sum(untold * untold), sum(told * untold),
    sum(of_told) FROM person GROUP BY 1, 2 ORDER BY 1, 2"""


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums over the people of a flow: margin told (t), revenue that tells none (u), their squares, revenue behind t."""

    people: int = 0
    t: float = 0.0
    u: float = 0.0
    tt: float = 0.0
    uu: float = 0.0
    tu: float = 0.0
    of_t: float = 0.0

    def group(self, share: float) -> Group:
        """With the revenue that tells no margin at this share of it."""
        squares = self.tt + share**2 * self.uu + 2 * share * self.tu
        return Group(self.people, margin=self.t + share * self.u, squares=squares, revenue=self.of_t + self.u)


def flows_against_holdout(program: str, start: datetime, end: datetime) -> list[Uplift]:
    """One for each flow with a holdout that people entered; two queries.

    Where some purchases tell their margin, the others count with the same share of their price; where none does, the
    figures are revenue.
    """
    found = Program.objects.filter(key=program).first()
    flows = fetch(
        "SELECT id, key, name::text FROM flow WHERE coalesce((definition ->> 'holdout')::numeric, 0) > 0 ORDER BY key"
    )
    if found is None or not flows:
        return []
    sums: dict[tuple[int, bool], _Sums] = {}
    for flow_id, holdout, people, *rest in fetch(
        sql(
            _PEOPLE,
            start=start,
            end=end,
            window=WINDOW,
            flows=[row[0] for row in flows],
            program=found.pk,
            told=Sql(TOLD),
        )
    ):
        sums[flow_id, holdout] = _Sums(people, *(float(value) for value in rest))
    return _compared(flows, sums)


def _compared(flows: Sequence[tuple[int, str, Any]], sums: dict[tuple[int, bool], _Sums]) -> list[Uplift]:
    told, of_told = sum(one.t for one in sums.values()), sum(one.of_t for one in sums.values())
    share = min(1.0, max(0.0, told / of_told)) if of_told else 1.0
    found = []
    for flow_id, key, name in flows:
        treated, held = sums.get((flow_id, False)), sums.get((flow_id, True))
        if treated is None:
            continue
        offered, out = treated.group(share), (held or _Sums()).group(share)
        verdict = difference(offered, out)
        found.append(
            Uplift(
                f"flow:{key}",
                _cents(verdict.total),
                offered.people,
                out.people,
                _cents(verdict.low * offered.people),
                _cents(verdict.high * offered.people),
                verdict.verdict,
                json.loads(name),
                "margin" if of_told else "revenue",
            )
        )
    return found


def _cents(amount: float) -> Decimal:
    return Decimal(str(round(amount, 2)))


measure_uplift("flows", flows_against_holdout)
