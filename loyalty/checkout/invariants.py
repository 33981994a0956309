"""What always holds at the checkout."""

from loyalty.kit.checks import invariant

invariant(
    "checkout.sold_once",
    guarantee=18,
    promise="a held basket that was committed is one purchase of the ledger, under its own id",
    query="""
        SELECT h.id, h.booking_id FROM held_basket h LEFT JOIN booking b ON b.id = h.booking_id
        WHERE h.state = 'committed' AND (b.id IS NULL OR b.key_digest <> h.key_digest)""",
)
invariant(
    "checkout.claimed_once",
    guarantee=18,
    promise="a receipt that was claimed is one purchase of the ledger, and no other is",
    query="""
        SELECT r.id, r.state, b.id AS booking_id FROM unmatched_receipt r
        LEFT JOIN booking b ON b.key_digest = r.key_digest
        WHERE (r.state = 'claimed') <> (b.id IS NOT NULL)
            OR (r.state = 'claimed' AND r.booking_id IS DISTINCT FROM b.id)""",
)
invariant(
    "checkout.discounts_fit",
    guarantee=18,
    promise="a purchase with vouchers stands in the ledger with what its lines cost less their discounts",
    query="""
        SELECT s.booking_id, s.gross, b.amount, l.discount FROM sale s JOIN booking b ON b.id = s.booking_id
        CROSS JOIN LATERAL (
            SELECT coalesce(sum((line ->> 'discount')::numeric), 0) AS discount
            FROM jsonb_array_elements(s.answer -> 'lines') AS line
        ) l WHERE s.answer IS NOT NULL AND b.amount > s.gross - l.discount""",
)
invariant(
    "checkout.paid_before_sent",
    guarantee=18,
    promise="a reward with a part in money that is due leaves the house only when it is paid",
    query="""
        SELECT o.id, o.state FROM reward_due d JOIN reward_redemption o ON o.id = d.redemption_id
        WHERE (d.paid_at IS NULL AND o.state IN ('packed', 'shipped', 'delivered'))
            OR (d.paid_at IS NULL) <> (o.payment IS NULL)""",
)
invariant(
    "checkout.photo_once",
    guarantee=18,
    promise="a photo of a receipt brought one purchase, and only one photo did",
    query="""
        SELECT p.id, p.booking_id FROM receipt_photo p LEFT JOIN booking b ON b.id = p.booking_id
        WHERE (p.state = 'booked') <> (p.booking_id IS NOT NULL) OR (p.booking_id IS NOT NULL AND b.id IS NULL)
        UNION ALL SELECT min(id), booking_id FROM receipt_photo WHERE booking_id IS NOT NULL
        GROUP BY booking_id HAVING count(*) > 1""",
)
