"""What always holds for paid memberships."""

from loyalty.kit.checks import invariant

invariant(
    "subscriptions.periods_once",
    guarantee=18,
    promise="no two fees of a contract are for the same time",
    query="""
        SELECT a.id, b.id AS other FROM subscription_charge a JOIN subscription_charge b
            ON b.subscription_id = a.subscription_id AND b.id > a.id AND b.kind = 'fee'
            AND tstzrange(a.period_start, a.period_end) && tstzrange(b.period_start, b.period_end)
        WHERE a.kind = 'fee' AND a.state <> 'void' AND b.state <> 'void'""",
)
invariant(
    "subscriptions.refunds_were_paid",
    guarantee=18,
    promise="never more goes back than came in for the same period",
    query="""
        SELECT r.id, r.amount, f.amount AS fee, f.state FROM subscription_charge r LEFT JOIN subscription_charge f
            ON f.subscription_id = r.subscription_id AND f.number = r.number AND f.kind = 'fee'
        WHERE r.kind = 'refund' AND r.state <> 'void' AND (f.id IS NULL OR r.amount > f.amount)""",
)
invariant(
    "subscriptions.nothing_after_the_end",
    guarantee=18,
    promise="a contract that ended has no open fee for a time after its end",
    query="""
        SELECT c.id, c.period_start, s.ends_at FROM subscription_charge c JOIN subscription s
            ON s.id = c.subscription_id
        WHERE s.state IN ('ended', 'withdrawn') AND c.kind = 'fee' AND c.state IN ('due', 'failed')
            AND c.period_start >= s.ends_at""",
)
invariant(
    "subscriptions.benefits_were_paid",
    guarantee=18,
    promise="points and vouchers of a membership came with a fee that was paid, each once a month",
    query="""
        SELECT b.id, b.charge_id FROM subscription_benefit b WHERE NOT EXISTS (
            SELECT FROM subscription_charge c JOIN subscription_report r ON r.charge_id = c.id AND r.outcome = 'paid'
            WHERE c.id = b.charge_id AND c.subscription_id = b.subscription_id)""",
)
invariant(
    "subscriptions.declarations_are_confirmed",
    guarantee=18,
    promise="everybody who declared something gets a receipt",
    query="""
        SELECT d.id, d.state FROM subscription_declaration d WHERE d.state <> 'waiting' AND d.customer_id IS NOT NULL
            AND NOT EXISTS (SELECT FROM subscription_notice n WHERE n.declaration_id = d.id)
            AND d.name IS NOT NULL""",
)
invariant(
    "subscriptions.customers_exist",
    guarantee=20,
    promise="every contract and letter is of a customer who exists, or of nobody",
    query="""
        SELECT 'contract' AS kind, s.id FROM subscription s WHERE s.customer_id IS NOT NULL
            AND NOT EXISTS (SELECT FROM customer c WHERE c.id = s.customer_id)
        UNION ALL
        SELECT 'letter', n.id FROM subscription_notice n
            WHERE NOT EXISTS (SELECT FROM customer c WHERE c.id = n.customer_id)""",
)
