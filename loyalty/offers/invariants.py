"""What always holds for vouchers and offers, whatever happened and in whatever order."""

from loyalty.kit.checks import invariant

invariant(
    "offers.voucher_uses",
    guarantee=18,
    promise="a voucher counts as many uses as it has, and never more than it may",
    query="""
        SELECT v.id, v.uses, coalesce(u.n, 0) AS found, v.uses_max FROM voucher v LEFT JOIN (
            SELECT voucher_id, count(*) AS n FROM offer_use
            WHERE voucher_id IS NOT NULL AND state IN ('reserved', 'redeemed') GROUP BY 1) u ON u.voucher_id = v.id
        WHERE v.uses <> coalesce(u.n, 0) OR v.uses > v.uses_max""",
)
invariant(
    "offers.gift_money",
    guarantee=18,
    promise="the money on a gift card is the sum of its entries",
    query="""
        SELECT v.id, v.available, v.held, e.available AS available_entries, e.held AS held_entries
        FROM voucher v FULL JOIN (
            SELECT voucher_id,
                sum(CASE 2 WHEN to_account THEN amount WHEN from_account THEN -amount ELSE 0 END) AS available,
                sum(CASE 3 WHEN to_account THEN amount WHEN from_account THEN -amount ELSE 0 END) AS held
            FROM gift_entry GROUP BY 1) e ON e.voucher_id = v.id
        WHERE v.id IS NULL
            OR v.state > 0 AND (v.available, v.held) <> (coalesce(e.available, 0), coalesce(e.held, 0))""",
)
invariant(
    "offers.limits_counted",
    guarantee=18,
    promise="pools and offers with a limit or a budget count what was used of it",
    query="""
        SELECT 'voucher_pool' AS kind, p.id, p.uses, p.spent, coalesce(u.n, 0) AS n, coalesce(u.amount, 0) AS amount
        FROM voucher_pool p LEFT JOIN (
            SELECT pool_id, count(*) AS n, sum(amount) AS amount FROM offer_use
            WHERE pool_id IS NOT NULL AND state IN ('reserved', 'redeemed') GROUP BY 1) u ON u.pool_id = p.id
        WHERE (p.definition #> '{limits,total}' IS NOT NULL OR p.definition #> '{limits,budget}' IS NOT NULL)
            AND (p.uses, p.spent) <> (coalesce(u.n, 0), coalesce(u.amount, 0))
        UNION ALL
        SELECT 'offer', o.id, o.uses, o.spent, coalesce(u.n, 0), coalesce(u.amount, 0)
        FROM offer o LEFT JOIN (
            SELECT offer_id, count(*) AS n, sum(amount) AS amount FROM offer_use
            WHERE offer_id IS NOT NULL AND state IN ('reserved', 'redeemed') GROUP BY 1) u ON u.offer_id = o.id
        WHERE (o.definition #> '{limits,total}' IS NOT NULL OR o.definition #> '{limits,budget}' IS NOT NULL)
            AND (o.uses, o.spent) <> (coalesce(u.n, 0), coalesce(u.amount, 0))""",
)
invariant(
    "offers.uses_follow",
    guarantee=18,
    promise="what a reservation uses stands where the reservation does; only after a return it may stay used",
    query="""
        SELECT u.id, u.state, r.state AS reservation FROM offer_use u
        LEFT JOIN offer_reservation r ON r.id = u.reservation_id
        WHERE r.id IS NULL OR u.state <> r.state AND NOT (r.state = 'returned' AND u.state = 'redeemed')""",
)
invariant(
    "offers.owners_exist",
    guarantee=20,
    promise="every voucher and every wallet belongs to a customer who exists, or to nobody",
    query="""
        SELECT 'voucher' AS kind, v.id AS id FROM voucher v WHERE v.customer_id IS NOT NULL
            AND NOT EXISTS (SELECT FROM customer c WHERE c.id = v.customer_id)
        UNION ALL
        SELECT 'offer_wallet', w.offer_id FROM offer_wallet w
        WHERE NOT EXISTS (SELECT FROM customer c WHERE c.id = w.customer_id)
        UNION ALL
        SELECT 'offer_personal', p.round_id FROM offer_personal p
        WHERE NOT EXISTS (SELECT FROM customer c WHERE c.id = p.customer_id)""",
)
invariant(
    "offers.holdout_kept",
    guarantee=18,
    promise="nobody who is held out of a personal offer, and nobody without a size, has one of it",
    query="""
        SELECT round_id, customer_id FROM offer_personal
        WHERE held_out AND size IS NOT NULL OR (size IS NULL) <> (step IS NULL)""",
)
