"""What must always hold for people's rights."""

from loyalty.kit.checks import invariant

invariant(
    "rights.merges_are_over",
    guarantee=20,
    promise="Who was joined to somebody is gone until that is undone, and the one who stayed is there or gone as well.",
    query="""
        SELECT m.id, m.loser_id FROM customer_merge m JOIN customer c ON c.id = m.loser_id
        WHERE m.undone_at IS NULL
    """,
)
invariant(
    "rights.the_gone_are_gone",
    guarantee=20,
    promise="Who was erased or joined has no profile.",
    query="SELECT g.customer_id FROM customer_gone g JOIN customer c ON c.id = g.customer_id",
)
invariant(
    "rights.requests_of_the_living",
    guarantee=20,
    promise="No request names a customer who is gone.",
    query="""
        SELECT r.id, r.customer_id FROM rights_request r
        WHERE r.customer_id IS NOT NULL AND NOT EXISTS (SELECT FROM customer c WHERE c.id = r.customer_id)
    """,
)
invariant(
    "rights.one_month",
    guarantee=20,
    promise="A request is due a calendar month after it came, or three when the person was told why.",
    query="""
        SELECT id, received_at, due_at FROM rights_request
        WHERE due_at < received_at + interval '27 days'
           OR due_at > received_at + CASE WHEN extension_reason IS NULL AND customer_id IS NOT NULL
                                          THEN interval '32 days' ELSE interval '94 days' END
    """,
)
