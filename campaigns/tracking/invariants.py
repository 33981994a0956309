"""What must always hold for hits."""

from loyalty.kit.checks import invariant

invariant(
    "tracking.facts_are_of_people",
    guarantee=22,
    promise="Every click and open in the timeline is a hit that a person made; machine hits drive nothing.",
    query="""
        SELECT e.id, t.name, e.customer_id, e.occurred_at, e.ref AS message_id
        FROM event_type t JOIN event e ON e.type_id = t.id
        WHERE t.name IN ('message.clicked', 'message.opened') AND NOT EXISTS (
            SELECT FROM hit h
            WHERE h.message_id = e.ref AND h.at = e.occurred_at AND h.machine IS FALSE
                AND h.kind = CASE t.name WHEN 'message.clicked' THEN 'click' ELSE 'open' END)
    """,
)
invariant(
    "tracking.hits_of_people_are_facts",
    guarantee=22,
    promise="No hit of a person is missing from the timeline.",
    query="""
        SELECT h.id, h.kind, h.message_id, h.at
        FROM hit h
        WHERE h.machine IS FALSE AND NOT EXISTS (
            SELECT FROM event e JOIN event_type t ON t.id = e.type_id
            WHERE e.customer_id = h.customer_id AND e.occurred_at = h.at AND e.ref = h.message_id
                AND t.name = CASE h.kind WHEN 'click' THEN 'message.clicked' WHEN 'open' THEN 'message.opened'
                    ELSE 'message.unsubscribed' END)
    """,
)
invariant(
    "tracking.judgement_comes",
    guarantee=22,
    promise="No click waits longer than 10 minutes to be judged machine or person.",
    query="SELECT id, message_id, at FROM hit WHERE machine IS NULL AND at < now() - interval '10 minutes'",
)
