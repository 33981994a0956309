"""Members: made when they are first needed, locked before anything of theirs is booked."""

from collections.abc import Collection, Sequence
from datetime import datetime

from loyalty.events import facts, partitions
from loyalty.kit.problems import Problem
from loyalty.kit.sql import array, execute, fetch, sql
from loyalty.program.setup import Setup

_JOIN = """WITH fresh AS (
    INSERT INTO member (program_id, customer_id, state, joined_at)
    SELECT {program}, c.id, 'active', {now} FROM customer c
    WHERE c.id = ANY({customers}::bigint[]) ORDER BY c.id FOR KEY SHARE
    ON CONFLICT (customer_id, program_id) DO NOTHING RETURNING id, customer_id
), balances AS (
    INSERT INTO member_balance (member_id, wallet_id) SELECT f.id, w FROM fresh f, unnest({wallets}::int[]) AS w
), {joined} SELECT count(*) FROM fresh"""


def of_customers(customer_ids: Collection[int], *, program_id: int) -> dict[int, tuple[int, str]]:
    """(member, state) of those customers who are members of the program."""
    rows = fetch(
        sql(
            "SELECT customer_id, id, state FROM member WHERE program_id = {program}"
            " AND customer_id = ANY({ids}::bigint[])",
            program=program_id,
            ids=array(customer_ids),
        )
    )
    return {customer_id: (member_id, state) for customer_id, member_id, state in rows}


def join(customer_ids: Collection[int], *, setup: Setup, now: datetime) -> int:
    """Make members of those who are none yet, with an empty balance in every wallet; how many. Set-based."""
    partitions.ensure(now, now)
    joined = facts.ctes(
        "joined",
        "member.joined",
        sql(
            "SELECT customer_id, {now}::timestamptz, id, jsonb_build_object('program', {key}::text) FROM fresh",
            now=now,
            key=setup.key,
        ),
        ask=False,
    )
    return fetch(
        sql(
            _JOIN,
            program=setup.id,
            now=now,
            customers=sorted(customer_ids),
            wallets=list(setup.wallet_ids.values()),
            joined=joined,
        )
    )[0][0]


def open_wallets(*, program_id: int, member_id: int | None = None) -> int:
    """Give every member (or that one) an empty balance in wallets that are new; how many."""
    return execute(
        sql(
            "INSERT INTO member_balance (member_id, wallet_id) SELECT m.id, w.id FROM member m"
            " JOIN wallet w ON w.program_id = m.program_id WHERE m.program_id = {program}"
            " AND ({member}::bigint IS NULL OR m.id = {member}::bigint) ON CONFLICT DO NOTHING",
            program=program_id,
            member=member_id,
        )
    )


def lock(member_ids: Sequence[int]) -> dict[int, str]:
    """Hold these members until the transaction ends: nothing else is booked for them meanwhile. Their states, `gone`
    for those who were forgotten; who was merged into another meanwhile is missing.

    Their customers come first, as in erasing and merging, which lock customers and then come here; all in the order of
    ids, so that nobody waits in a circle.
    """
    ids = array(sorted(set(member_ids)))
    fetch(
        sql(
            "SELECT id FROM customer WHERE id IN (SELECT customer_id FROM member WHERE id = ANY({ids}::bigint[]))"
            " ORDER BY id FOR KEY SHARE",
            ids=ids,
        )
    )
    rows = fetch(
        sql(
            "SELECT id, CASE WHEN customer_id IS NULL THEN 'gone' ELSE state END FROM member"
            " WHERE id = ANY({ids}::bigint[]) ORDER BY id FOR NO KEY UPDATE",
            ids=ids,
        )
    )
    return dict(rows)


def unfit(state: str) -> Problem:
    """Why nothing can be booked for a member in that state."""
    reason, remedy = {
        "left": ("has left the program", "let the customer join again first"),
        "frozen": ("is frozen", "look into the reason first"),
        "none": ("is no member of the program", "let the customer join first"),
    }.get(state, ("was merged or forgotten just now", "send it again"))
    return Problem("customer", reason, remedy)
