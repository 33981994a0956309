"""What always holds for rewards, whatever happened and in whatever order."""

from loyalty.kit.checks import invariant

invariant(
    "rewards.stock_is_redemptions",
    guarantee=18,
    promise="of every reward as many are gone as were redeemed, and of one with codes as many as codes were given",
    query="""
        SELECT r.key, r.taken, coalesce(o.n, 0) AS redeemed, coalesce(c.n, 0) AS codes FROM reward r
        LEFT JOIN (SELECT reward_id, sum(quantity) AS n FROM reward_redemption WHERE state <> 'cancelled' GROUP BY 1) o
            ON o.reward_id = r.id
        LEFT JOIN (SELECT reward_id, count(*) AS n FROM reward_code WHERE redemption_id IS NOT NULL GROUP BY 1) c
            ON c.reward_id = r.id
        WHERE r.taken <> CASE WHEN (r.definition -> 'codes')::boolean THEN coalesce(c.n, 0)
            ELSE coalesce(o.n, 0) END""",
)
invariant(
    "rewards.stock_is_never_exceeded",
    guarantee=18,
    promise="nobody gets a piece that is not there",
    query="SELECT key, stock, taken FROM reward WHERE taken > stock OR taken < 0",
)
invariant(
    "rewards.places_are_redemptions",
    guarantee=18,
    promise="at every hour as many places are taken as were booked",
    query="""
        SELECT s.id, s.taken, coalesce(o.n, 0) AS booked FROM reward_slot s LEFT JOIN (
            SELECT slot_id, sum(quantity) AS n FROM reward_redemption WHERE state <> 'cancelled' AND slot_id IS NOT NULL
            GROUP BY 1) o ON o.slot_id = s.id
        WHERE s.taken <> coalesce(o.n, 0)""",
)
invariant(
    "rewards.paid_in_points",
    guarantee=18,
    promise="every redemption cost exactly the points that the ledger says were spent for it",
    query="""
        SELECT o.id, o.points, coalesce(sum(e.amount), 0) AS spent FROM reward_redemption o
        LEFT JOIN entry e ON e.booking_id = o.booking_id AND e.to_account = 12
        GROUP BY o.id HAVING o.points <> coalesce(sum(e.amount), 0)""",
)
invariant(
    "rewards.refunded_in_full",
    guarantee=18,
    promise="what is cancelled gives back exactly the points it cost, and nothing else gives any back",
    query="""
        SELECT o.id, o.state, o.points, coalesce(sum(e.amount), 0) AS refunded FROM reward_redemption o
        JOIN booking r ON r.original_id = o.booking_id LEFT JOIN entry e ON e.booking_id = r.id AND e.from_account = 12
        GROUP BY o.id HAVING o.state <> 'cancelled' OR coalesce(sum(e.amount), 0) <> o.points
        UNION ALL
        SELECT o.id, o.state, o.points, 0 FROM reward_redemption o WHERE o.state = 'cancelled' AND o.points > 0
        AND o.customer_id IS NOT NULL AND NOT EXISTS (SELECT FROM booking r WHERE r.original_id = o.booking_id)""",
)
invariant(
    "rewards.codes_once",
    guarantee=18,
    promise="every code was given to one redemption of its own reward",
    query="""
        SELECT c.id, c.reward_id, c.redemption_id FROM reward_code c WHERE c.redemption_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM reward_redemption o WHERE o.id = c.redemption_id AND o.reward_id = c.reward_id)""",
)
invariant(
    "rewards.one_winner_each",
    guarantee=18,
    promise="nobody wins twice in a draw",
    query="""
        SELECT o.reward_id, o.customer_id, count(*) FROM reward_redemption o WHERE o.won AND o.customer_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM customer_merge g WHERE g.winner_id = o.customer_id)
        GROUP BY 1, 2 HAVING count(*) > 1""",
)
invariant(
    "rewards.customers_exist",
    guarantee=20,
    promise="every redemption and every wish is of a customer who exists, or of nobody",
    query="""
        SELECT 'redemption' AS kind, o.id::bigint AS id FROM reward_redemption o WHERE o.customer_id IS NOT NULL
            AND NOT EXISTS (SELECT FROM customer c WHERE c.id = o.customer_id)
        UNION ALL
        SELECT 'wish', w.customer_id FROM wish w
            WHERE NOT EXISTS (SELECT FROM customer c WHERE c.id = w.customer_id)""",
)
invariant(
    "rewards.suppliers_know_orders",
    guarantee=23,
    promise="suppliers are told of redemptions that are there, and those who were told everything are left alone",
    query="""
        SELECT t.redemption_id, t.state, t.revision, t.told FROM supplier_order t
        WHERE NOT EXISTS (SELECT FROM reward_redemption o WHERE o.id = t.redemption_id)
        OR (t.state = 'told') <> (t.told = t.revision)""",
)
