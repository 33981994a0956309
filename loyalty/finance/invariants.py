"""What always holds in the books."""

from loyalty.kit.checks import invariant

invariant(
    "finance.months_follow",
    guarantee=18,
    promise="a month begins with what was owed at the end of the one before",
    query="""
        SELECT m.program_id, m.month, m.opening, p.closing FROM book_month m
        JOIN book_month p ON p.program_id = m.program_id AND p.month = (m.month - interval '1 month')::date
        WHERE p.closed_at IS NOT NULL AND m.opening <> p.closing""",
)
invariant(
    "finance.bookings_are_change",
    guarantee=18,
    promise="the bookings of a month lead from what was owed before to what is owed at its end",
    query="""
        SELECT m.program_id, m.month, m.opening, m.closing, r.booked FROM book_month m LEFT JOIN LATERAL (
            SELECT coalesce(sum((row ->> 'amount')::numeric), 0) AS booked FROM jsonb_array_elements(m.rows) row
        ) r ON TRUE WHERE m.closing - m.opening <> r.booked""",
)
invariant(
    "finance.points_are_ledger",
    guarantee=18,
    promise="the points in the books of closed months are those of the points ledger",
    query="""
        SELECT e.wallet_id, e.month, f.points, e.points AS ledger FROM (
            SELECT e.wallet_id, m.month, m.program_id,
                sum(CASE WHEN e.to_account IN (1, 2, 3) THEN e.amount ELSE -e.amount END) AS points
            FROM entry e JOIN wallet w ON w.id = e.wallet_id
            JOIN book_month m ON m.program_id = w.program_id AND m.closed_at IS NOT NULL
                AND m.month = date_trunc('month', e.at AT TIME ZONE m.timezone)::date
            WHERE (e.to_account IN (1, 2, 3)) <> (e.from_account IN (1, 2, 3)) GROUP BY 1, 2, 3
        ) e FULL JOIN (
            SELECT f.wallet_id, f.month, sum(CASE WHEN f.incoming THEN f.points ELSE -f.points END) AS points
            FROM point_flow f JOIN wallet w ON w.id = f.wallet_id
            JOIN book_month m ON m.program_id = w.program_id AND m.month = f.month AND m.closed_at IS NOT NULL
            GROUP BY 1, 2
        ) f ON f.wallet_id = e.wallet_id AND f.month = e.month
        WHERE f.points IS DISTINCT FROM e.points""",
)
