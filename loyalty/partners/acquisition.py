"""Whom partners brought: new members by month, and what became of them. Numbers only, never people."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from loyalty.kit.sql import fetch, sql

# Fewer are not told to a partner: it knows whom it brought, and would learn about a person.
FEWEST = 5
ACTIVE = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Month:
    """People whom a partner brought in a month: those still members, who bought lately, who bought elsewhere too."""

    month: date
    brought: int
    members: int
    active: int
    elsewhere: int


def by_month(partner_id: int, *, program_id: int, zone: str, now: datetime, months: int = 13) -> list[Month]:
    """The latest months in which somebody came, oldest first; one query."""
    rows = fetch(
        sql(
            "WITH brought AS MATERIALIZED (SELECT customer_id, date_trunc('month', since AT TIME ZONE {zone})::date AS"
            "   month FROM partner_link WHERE partner_id = {partner} AND enrolled)"
            " SELECT b.month, count(*)::int, count(*) FILTER (WHERE m.state = 'active')::int,"
            " count(*) FILTER (WHERE EXISTS (SELECT FROM booking x WHERE x.member_id = m.id AND x.kind = 'purchase'"
            "   AND x.occurred_at > {lately}))::int,"
            " count(*) FILTER (WHERE EXISTS (SELECT FROM booking x WHERE x.member_id = m.id AND x.kind = 'purchase'"
            "   AND NOT EXISTS (SELECT FROM partner_store s WHERE s.partner_id = {partner} AND s.store = x.store)"
            "   ))::int"
            " FROM brought b LEFT JOIN member m ON m.customer_id = b.customer_id AND m.program_id = {program}"
            " GROUP BY 1 ORDER BY 1 DESC LIMIT {months}",
            zone=zone,
            partner=partner_id,
            program=program_id,
            lately=now - ACTIVE,
            months=months,
        )
    )
    return [Month(*row) for row in rows[::-1]]


def told(number: int) -> str:
    """A number as a partner is told it."""
    return str(number) if not number or number >= FEWEST else f"< {FEWEST}"
