"""What always holds between the points ledger and the settlement with partners."""

from loyalty.kit.checks import invariant

invariant(
    "partners.statement_is_sum",
    guarantee=18,
    promise="a statement is the sum of its entries, and nothing of them is left unbilled",
    query="""
        SELECT s.number, s.gross, e.unbilled, e.billed FROM partner_statement s LEFT JOIN (
            SELECT statement_id,
                sum(CASE 1 WHEN to_account THEN amount WHEN from_account THEN -amount ELSE 0 END) AS unbilled,
                sum(CASE WHEN kind = 10 THEN 0 WHEN to_account = 2 THEN amount WHEN from_account = 2 THEN -amount
                    ELSE 0 END) AS billed
            FROM settlement_entry WHERE statement_id IS NOT NULL GROUP BY statement_id
        ) e ON e.statement_id = s.id
        WHERE e.unbilled IS DISTINCT FROM 0 OR e.billed IS DISTINCT FROM s.gross""",
)
invariant(
    "partners.points_match",
    guarantee=18,
    promise="what was settled of a booking are the points that it moved",
    query="""
        SELECT s.id, s.booking_id, s.kind, s.points, e.points AS ledger FROM settlement_entry s
        JOIN partner p ON p.id = s.partner_id LEFT JOIN LATERAL (
            SELECT sum(amount) AS points FROM entry WHERE booking_id = s.booking_id AND wallet_id = p.wallet_id
            AND CASE s.kind WHEN 1 THEN from_account = 11 WHEN 2 THEN to_account = 14 WHEN 3 THEN to_account = 12
                ELSE from_account = 12 END
        ) e ON TRUE
        WHERE s.kind BETWEEN 1 AND 4 AND s.points IS DISTINCT FROM e.points""",
)
invariant(
    "partners.not_overpaid",
    guarantee=18,
    promise="nobody paid more of a statement than it says",
    query="""
        SELECT s.number, s.gross, e.paid FROM partner_statement s JOIN (
            SELECT statement_id, sum(CASE WHEN to_account = 16 THEN amount ELSE -amount END) AS paid
            FROM settlement_entry WHERE kind = 10 GROUP BY statement_id
        ) e ON e.statement_id = s.id WHERE abs(e.paid) > abs(s.gross) OR sign(e.paid) <> sign(s.gross)""",
)
invariant(
    "partners.passed_by_contract",
    guarantee=19,
    promise="every note of a transfer names what was passed on",
    query="SELECT id FROM partner_transfer WHERE cardinality(fields) = 0",
)
