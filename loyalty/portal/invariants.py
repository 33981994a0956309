"""What must always hold for the member portal."""

from loyalty.kit.checks import invariant

invariant(
    "portal.sessions_belong_to_somebody",
    guarantee=20,
    promise="Nobody who was erased is signed in anywhere.",
    query="""
        SELECT s.id, s.customer_id FROM member_session s LEFT JOIN customer c ON c.id = s.customer_id
        WHERE c.id IS NULL
    """,
)
invariant(
    "portal.links_let_in_once_and_in_time",
    guarantee=20,
    promise="A link or code lets somebody in once, before it expires, after at most five wrong codes.",
    query="""
        SELECT id, state, used_at, expires_at, tries FROM portal_entry
        WHERE (state = 'used') <> (used_at IS NOT NULL) OR used_at > expires_at OR tries > 5
            OR (state <> 'mailed' AND code_digest IS NOT NULL)
    """,
)
invariant(
    "portal.joining_was_confirmed",
    guarantee=19,
    promise="Who joined by a form confirmed it by a mail to the address, and the double opt-in says so.",
    query="""
        SELECT e.id, e.customer_id FROM portal_entry e JOIN opt_in_request r ON r.id = e.opt_in_id
        WHERE e.kind = 'join' AND e.state = 'used' AND r.confirmed_at IS NULL AND r.expires_at > e.used_at
            AND EXISTS (SELECT FROM customer c WHERE c.id = r.customer_id AND lower(c.email) = lower(r.address))
    """,
)
