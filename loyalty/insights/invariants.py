"""What must hold of insights."""

from loyalty.kit.checks import invariant

invariant(
    "insights.customer",
    guarantee=20,
    promise="every insight belongs to a customer who exists",
    query="""
        SELECT i.feature, i.customer_id FROM customer_insight i
        WHERE NOT EXISTS (SELECT FROM customer c WHERE c.id = i.customer_id)""",
)
