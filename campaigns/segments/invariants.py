"""What must always hold of stored members, as SQL that returns the violations."""

from loyalty.kit.checks import invariant

invariant(
    "segments.member_count",
    guarantee=2,
    promise="the member count of a segment is the number of its members",
    query="""
        SELECT s.key, s.member_count, count(m.customer_id) AS members
        FROM segment s LEFT JOIN segment_member m ON m.segment_id = s.id
        WHERE s.built_at IS NOT NULL GROUP BY s.id HAVING s.member_count IS DISTINCT FROM count(m.customer_id)""",
)
invariant(
    "segments.orphans",
    guarantee=20,
    promise="every member is a customer who exists, of a segment that exists",
    query="""
        SELECT m.segment_id, m.customer_id FROM segment_member m
        WHERE NOT EXISTS (SELECT FROM customer c WHERE c.id = m.customer_id)
            OR NOT EXISTS (SELECT FROM segment s WHERE s.id = m.segment_id)""",
)
invariant(
    "segments.past",
    guarantee=20,
    promise="nobody was in a segment twice at once, and pasts are of customers and segments that exist",
    query="""
        SELECT p.segment_id, p.customer_id, p.since, p.until FROM segment_past p
        WHERE EXISTS (SELECT FROM segment_past o WHERE o.segment_id = p.segment_id AND o.customer_id = p.customer_id
                AND o.since > p.since AND o.since < p.until)
            OR EXISTS (SELECT FROM segment_member m WHERE m.segment_id = p.segment_id AND m.customer_id = p.customer_id
                AND m.since < p.until)
            OR NOT EXISTS (SELECT FROM customer c WHERE c.id = p.customer_id)
            OR NOT EXISTS (SELECT FROM segment s WHERE s.id = p.segment_id)""",
)
