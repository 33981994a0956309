"""What messages show of a member: balance and tier, for many people in one query."""

import json
from collections.abc import Collection
from typing import Any

from loyalty.kit.sql import fetch, sql


def of_customers(customer_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """The first wallet of each customer's first program, by customer; who is no member is missing."""
    rows = fetch(
        sql(
            "SELECT DISTINCT ON (m.customer_id) m.customer_id, p.key, greatest(0, b.active - b.owed), b.pending, t.key,"
            " t.name::text FROM member m JOIN program p ON p.id = m.program_id JOIN wallet w ON w.program_id = p.id"
            " JOIN member_balance b ON b.member_id = m.id AND b.wallet_id = w.id LEFT JOIN tier t ON t.id = m.tier_id"
            " WHERE m.customer_id = ANY({ids}::bigint[]) AND m.state <> 'left'"
            " ORDER BY m.customer_id, p.id, w.position",
            ids=list(customer_ids),
        )
    )
    return {
        customer: {
            "program": program,
            "balance": balance,
            "pending": pending,
            "tier": tier,
            "tier_name": json.loads(name) if name else {},
        }
        for customer, program, balance, pending, tier, name in rows
    }
