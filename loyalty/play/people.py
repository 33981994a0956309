"""Who may take part: members of the program, of the audience that the document names."""

from collections.abc import Collection
from datetime import datetime

from loyalty.kit.audiences import members_of
from loyalty.kit.sql import Sql, fetch, sql
from loyalty.play.definition import Audience
from loyalty.program import membership
from loyalty.program.setup import Setup, load_all


def may_take_part(customer: Sql, program_id: int | None, audience: Audience) -> Sql:
    """Boolean SQL over an expression that is a customer's id. Without a program everybody is a member."""
    found = []
    if program_id is not None:
        tiers = Sql("")
        if audience.tiers:
            keys = list(audience.tiers)
            tiers = sql(
                " AND EXISTS (SELECT FROM tier t WHERE t.id = m.tier_id AND t.key = ANY({keys}::text[]))", keys=keys
            )
        found.append(
            sql(
                "EXISTS (SELECT FROM member m WHERE m.customer_id = {customer} AND m.program_id = {program}"
                " AND m.state = 'active'{tiers})",
                customer=customer,
                program=program_id,
                tiers=tiers,
            )
        )
    if audience.segments:
        found.append(
            sql(
                "EXISTS (SELECT FROM ({members}) a WHERE a.customer_id = {customer})",
                members=members_of(audience.segments),
                customer=customer,
            )
        )
    return Sql(" AND ").join(found) if found else Sql("TRUE")


def lock(customer_ids: Collection[int]) -> set[int]:
    """Keep these customers from being forgotten or joined with others until the transaction ends; who exists.

    Customers come before everything else that is locked here, as in erasing and merging.
    """
    rows = fetch(
        sql(
            "SELECT id FROM customer WHERE id = ANY({ids}::bigint[]) ORDER BY id FOR KEY SHARE",
            ids=sorted(customer_ids),
        )
    )
    return {row[0] for row in rows}


def welcome(events: Collection[tuple[int, str]], program_ids: Collection[int | None], *, now: datetime) -> None:
    """Make members of the customers of (customer, event name) whose program takes them for such events by itself.

    The program does so too when it gets to these events; here they may come first.
    """
    for setup in load_all() if events else []:
        if setup.id in program_ids and setup.document.join == "automatic":
            _welcome(events, setup, now)


def _welcome(events: Collection[tuple[int, str]], setup: Setup, now: datetime) -> None:
    wanted = setup.events()
    people = {customer_id for customer_id, name in events if name in wanted}
    if strangers := people - membership.of_customers(people, program_id=setup.id).keys():
        membership.join(strangers, setup=setup, now=now)
