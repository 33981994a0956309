-- Set one person aside where they stand: status, counters and the reason in one statement.
WITH stuck AS (
    UPDATE enrollment SET status = 4, due_at = NULL WHERE id = %(id)s AND status = 1 RETURNING version_id, customer_id
), counted AS (
    INSERT INTO flow_count (version_id, node, exit, n, at)
    SELECT version_id, n, 'failed', 1, %(now)s FROM stuck, unnest(ARRAY[%(node)s, 0]::smallint[]) AS n
)
INSERT INTO enrollment_failure (enrollment_id, version_id, customer_id, node, at, reason)
SELECT %(id)s, version_id, customer_id, %(node)s, %(now)s, %(reason)s FROM stuck
