"""What always holds in the ledger, whatever happened and in whatever order."""

from loyalty.kit.checks import invariant

invariant(
    "program.balance_is_sum",
    guarantee=18,
    promise="a balance is the sum of its entries",
    query="""
        SELECT coalesce(b.member_id, e.member_id) AS member_id, coalesce(b.wallet_id, e.wallet_id) AS wallet_id,
            b.pending, e.pending AS pending_entries, b.active, e.active AS active_entries, b.locked,
            e.locked AS locked_entries, b.owed, e.owed AS owed_entries
        FROM member_balance b FULL JOIN (
            SELECT member_id, wallet_id,
                sum(CASE 1 WHEN to_account THEN amount WHEN from_account THEN -amount ELSE 0 END) AS pending,
                sum(CASE 2 WHEN to_account THEN amount WHEN from_account THEN -amount ELSE 0 END) AS active,
                sum(CASE 3 WHEN to_account THEN amount WHEN from_account THEN -amount ELSE 0 END) AS locked,
                -sum(CASE 4 WHEN to_account THEN amount WHEN from_account THEN -amount ELSE 0 END) AS owed
            FROM entry GROUP BY 1, 2
        ) e ON e.member_id = b.member_id AND e.wallet_id = b.wallet_id
        WHERE (coalesce(b.pending, 0), coalesce(b.active, 0), coalesce(b.locked, 0), coalesce(b.owed, 0))
            <> (coalesce(e.pending, 0), coalesce(e.active, 0), coalesce(e.locked, 0), coalesce(e.owed, 0))""",
)
invariant(
    "program.lots_are_balance",
    guarantee=18,
    promise="the lots of a member together are its balance",
    query="""
        SELECT b.member_id, b.wallet_id, b.pending, l.pending AS pending_lots, b.active, l.active AS active_lots,
            b.locked, l.locked AS locked_lots
        FROM member_balance b FULL JOIN (
            SELECT member_id, wallet_id, sum(pending) AS pending, sum(active) AS active, sum(locked) AS locked
            FROM lot GROUP BY 1, 2
        ) l ON l.member_id = b.member_id AND l.wallet_id = b.wallet_id
        WHERE (coalesce(b.pending, 0), coalesce(b.active, 0), coalesce(b.locked, 0))
            <> (coalesce(l.pending, 0), coalesce(l.active, 0), coalesce(l.locked, 0))""",
)
invariant(
    "program.lot_is_entries",
    guarantee=18,
    promise="a lot is what its entries made of it",
    query="""
        SELECT l.id AS lot_id, l.amount, l.pending, l.active, l.locked, l.spent, l.expired, l.reversed
        FROM lot l LEFT JOIN (
            SELECT lot_id,
                sum(CASE 1 WHEN to_account THEN amount WHEN from_account THEN -amount ELSE 0 END) AS pending,
                sum(CASE 2 WHEN to_account THEN amount WHEN from_account THEN -amount ELSE 0 END) AS active,
                sum(CASE 3 WHEN to_account THEN amount WHEN from_account THEN -amount ELSE 0 END) AS locked,
                sum(CASE 12 WHEN to_account THEN amount WHEN from_account THEN -amount ELSE 0 END) AS spent,
                sum(CASE 13 WHEN to_account THEN amount WHEN from_account THEN -amount ELSE 0 END) AS expired,
                sum(CASE 14 WHEN to_account THEN amount WHEN from_account THEN -amount ELSE 0 END) AS reversed
            FROM entry WHERE lot_id IS NOT NULL GROUP BY lot_id
        ) e ON e.lot_id = l.id
        WHERE (l.pending, l.active, l.locked, l.spent, l.expired, l.reversed)
            IS DISTINCT FROM (e.pending, e.active, e.locked, e.spent, e.expired, e.reversed)""",
)
invariant(
    "program.transit_is_empty",
    guarantee=18,
    promise="what one member hands on another has got",
    query="""
        SELECT booking_id, sum(CASE WHEN to_account = 16 THEN amount ELSE -amount END) AS lost FROM entry
        WHERE to_account = 16 OR from_account = 16 GROUP BY booking_id
        HAVING sum(CASE WHEN to_account = 16 THEN amount ELSE -amount END) <> 0""",
)
invariant(
    "program.debts_are_paid",
    guarantee=18,
    promise="nobody owes points and has some to pay with",
    query="SELECT member_id, wallet_id, active, owed FROM member_balance WHERE active > 0 AND owed > 0",
)
invariant(
    "program.open_lots",
    guarantee=18,
    promise="a lot is open as long as something is in it",
    query="SELECT id, pending, active, locked FROM lot WHERE open <> (pending + active + locked > 0)",
)
invariant(
    "program.returns_fit",
    guarantee=18,
    promise="no purchase gives back more of a lot than it earned",
    query="SELECT id, amount, reversed FROM lot WHERE reversed > amount",
)
invariant(
    "program.entries_belong",
    guarantee=18,
    promise="every entry and every lot belongs to a member and a booking that exist",
    query="""
        SELECT 'entry' AS kind, e.id FROM entry e WHERE NOT EXISTS (SELECT FROM member m WHERE m.id = e.member_id)
            OR NOT EXISTS (SELECT FROM booking b WHERE b.id = e.booking_id)
        UNION ALL
        SELECT 'lot', l.id FROM lot l WHERE NOT EXISTS (SELECT FROM member m WHERE m.id = l.member_id)
            OR NOT EXISTS (SELECT FROM booking b WHERE b.id = l.booking_id)""",
)
invariant(
    "program.members_exist",
    guarantee=20,
    promise="every member is a customer who exists, or nobody",
    query="""
        SELECT m.id, m.customer_id FROM member m WHERE m.customer_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM customer c WHERE c.id = m.customer_id)""",
)
invariant(
    "program.tier_of_program",
    guarantee=18,
    promise="a member's tier is one of its program",
    query="""
        SELECT m.id, m.tier_id FROM member m LEFT JOIN tier t ON t.id = m.tier_id
        WHERE m.tier_id IS NOT NULL AND t.program_id IS DISTINCT FROM m.program_id""",
)
