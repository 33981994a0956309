"""What must always hold for conversions and credit."""

from loyalty.kit.checks import invariant

invariant(
    "attribution.credit_sums_to_its_conversion",
    guarantee=10,
    promise="By every method the shares of a conversion sum to exactly 1 and the values to exactly its value.",
    query="""
        SELECT c.id AS conversion_id, k.model, sum(k.share) AS shares, sum(k.value) AS credited, c.value
        FROM conversion c JOIN credit k ON k.conversion_id = c.id
        WHERE NOT EXISTS (SELECT FROM stale_conversion s WHERE s.conversion_id = c.id)
        GROUP BY c.id, k.model
        HAVING sum(k.share) <> 1 OR sum(k.value) <> c.value
    """,
)
invariant(
    "attribution.every_conversion_is_credited_by_every_model",
    guarantee=10,
    promise="A conversion that waits for nothing has credit by every model that is in use.",
    query="""
        SELECT c.id AS conversion_id, c.goal_id, count(DISTINCT k.model) AS models
        FROM conversion c LEFT JOIN credit k ON k.conversion_id = c.id
        WHERE NOT EXISTS (SELECT FROM stale_conversion s WHERE s.conversion_id = c.id)
        GROUP BY c.id
        HAVING count(DISTINCT k.model) < (SELECT count(DISTINCT model) FROM credit) OR count(k.model) = 0
    """,
)
invariant(
    "attribution.credit_belongs_to_a_conversion",
    guarantee=10,
    promise="No credit is kept for a conversion that is gone.",
    query="""
        SELECT k.conversion_id, k.model FROM credit k
        WHERE NOT EXISTS (SELECT FROM conversion c WHERE c.id = k.conversion_id)
    """,
)
invariant(
    "attribution.no_credit_to_a_later_touch",
    guarantee=10,
    promise="No touch after the conversion, or before its window, gets credit.",
    query="""
        SELECT k.conversion_id, k.model, k.touch_no, k.touched_at, c.occurred_at
        FROM credit k JOIN conversion c ON c.id = k.conversion_id JOIN goal g ON g.id = c.goal_id
        WHERE NOT EXISTS (SELECT FROM stale_conversion s WHERE s.conversion_id = c.id)
            AND NOT EXISTS (SELECT FROM goal_count n WHERE n.goal_id = g.id AND n.search_no = 1)
            AND NOT (k.touched_at <= c.occurred_at
                AND k.touched_at > c.occurred_at - make_interval(secs => g.window_seconds))
    """,
)
invariant(
    "attribution.conversions_are_goal_events",
    guarantee=15,
    promise="Every conversion is one event of its goal, of the same person at the same time; none waits unseen.",
    query="""
        SELECT c.id AS conversion_id, c.goal_id, c.event_id, c.customer_id, c.occurred_at
        FROM conversion c JOIN goal g ON g.id = c.goal_id JOIN event_type t ON t.name = g.event
        WHERE NOT EXISTS (SELECT FROM goal_count n WHERE n.goal_id = g.id AND n.search_no = 1)
            AND NOT EXISTS (
                SELECT FROM event e
                WHERE e.customer_id = c.customer_id AND e.type_id = t.id AND e.occurred_at = c.occurred_at
                    AND e.id = c.event_id)
    """,
)
invariant(
    "attribution.goal_events_are_conversions",
    guarantee=15,
    promise="Every event of a goal without conditions is a conversion, unless it waits in the queue.",
    query="""
        SELECT e.id AS event_id, e.customer_id, e.occurred_at, g.id AS goal_id
        FROM goal g JOIN event_type t ON t.name = g.event JOIN event e ON e.type_id = t.id
        WHERE g.conditions = '{}'
            AND EXISTS (SELECT FROM goal_count n WHERE n.goal_id = g.id AND n.search_no > 1)
            AND NOT EXISTS (SELECT FROM conversion c WHERE c.goal_id = g.id AND c.event_id = e.id)
            AND NOT EXISTS (SELECT FROM event_queue q WHERE q.consumer = 'attribution' AND q.event_id = e.id)
    """,
)
