-- Lock the due blocks of the version that has waited longest.
-- The claim is a MATERIALIZED CTE: inlined, a cached plan may run it once per outer row and lock far more than the limit.
-- SKIP LOCKED lets several workers take disjoint blocks; the state of the flow is read in the same statement, so a pause
-- holds from its commit on.
WITH head AS MATERIALIZED (
    SELECT b.version_id
    FROM flow_block b
    JOIN flow_version v ON v.id = b.version_id
    JOIN flow f ON f.id = v.flow_id
    WHERE b.next_due <= %(now)s AND f.state = ANY(%(states)s)
    ORDER BY b.next_due, b.id
    LIMIT 1
    FOR UPDATE OF b SKIP LOCKED
)
SELECT b.id, b.version_id
FROM flow_block b
WHERE b.version_id = (SELECT version_id FROM head) AND b.next_due <= %(now)s
ORDER BY b.next_due, b.id
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED
