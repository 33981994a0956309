"""What must always hold for flows."""

from loyalty.kit.checks import invariant

invariant(
    "flows.log_complete",
    guarantee=2,
    promise="every move of an enrollment has its log row",
    query="""
    SELECT e.id, e.visit, count(l.visit) AS logged FROM enrollment e
    LEFT JOIN step_log l ON l.enrollment_id = e.id GROUP BY e.id, e.visit HAVING count(l.visit) <> e.visit""",
)
invariant(
    "flows.one_active",
    guarantee=3,
    promise="nobody is in a flow twice at a time for one entry key",
    query="""
    SELECT flow_id, customer_id, entry_key, count(*) FROM enrollment WHERE status = 1
    GROUP BY 1, 2, 3 HAVING count(*) > 1""",
)
invariant(
    "flows.timers",
    guarantee=1,
    promise="no block's timer is later than its earliest due person",
    query="""
    SELECT b.id, b.next_due, min(e.due_at) AS due_at FROM enrollment e JOIN flow_block b ON b.id = e.id >> 11
    WHERE e.status = 1 AND e.due_at IS NOT NULL GROUP BY b.id, b.next_due
    HAVING b.next_due IS NULL OR b.next_due > min(e.due_at)""",
)
invariant(
    "flows.rests",
    guarantee=2,
    promise="an active enrollment has a due time, an ended one has none",
    query="SELECT id, status, due_at FROM enrollment WHERE (status = 1) <> (due_at IS NOT NULL)",
)
invariant(
    "flows.messages_of_moves",
    guarantee=2,
    promise="every message of a flow was planned by a logged move that ran its step",
    query="""
    SELECT m.id FROM message m JOIN dispatch d ON d.id = m.dispatch_id AND d.flow_id IS NOT NULL
    LEFT JOIN step_log l ON l.enrollment_id = m.id >> 25 AND l.visit = (m.id >> 13) & 4095
    WHERE l.path IS NULL OR NOT ((m.id >> 3) & 1023)::smallint = ANY(l.path)""",
)
invariant(
    "flows.moves_have_messages",
    guarantee=2,
    promise="every logged run of a send step planned or skipped exactly one message",
    query="""
    WITH number (channel, n) AS (VALUES ('email', 1), ('sms', 2), ('whatsapp', 3), ('telegram', 4), ('push', 5),
                                        ('letter', 6), ('webhook', 7))
    SELECT l.enrollment_id, l.visit, s.step FROM step_log l CROSS JOIN LATERAL unnest(l.path) AS s (step)
    JOIN flow_version v ON v.id = l.version_id
    JOIN dispatch d ON d.flow_id = v.flow_id AND d.flow_version = v.number AND d.step_no = s.step
    JOIN number ON number.channel = d.channel
    -- The whole id, not its parts: by the key it is one probe, by parts every message was read for every run.
    WHERE NOT EXISTS (SELECT FROM message m WHERE m.id =
        ((l.enrollment_id << 25) | (l.visit::bigint << 13) | (s.step::bigint << 3) | number.n))""",
)
invariant(
    "flows.counters",
    guarantee=10,
    promise="the counters say what the enrollments say",
    query="""
    SELECT version_id, sum(counted) AS counted, sum(real) AS real FROM (
        SELECT version_id, n AS counted, 0 AS real FROM flow_count WHERE node = 0 AND exit = 'entered'
        UNION ALL SELECT version_id, 0, count(*) FROM enrollment GROUP BY 1) both_sides
    GROUP BY 1 HAVING sum(counted) <> sum(real)""",
)
