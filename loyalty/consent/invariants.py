"""What must always hold for consent."""

from loyalty.kit.checks import invariant

invariant(
    "consent.state_is_the_latest_entry",
    guarantee=19,
    promise="The current consent of a person is that of the latest entry, and there is none without an entry.",
    query="""
        WITH latest AS (
            SELECT DISTINCT ON (customer_id, channel, purpose) customer_id, channel, purpose, status, occurred_at
            FROM consent_entry
            ORDER BY customer_id, channel, purpose, occurred_at DESC, status = 'withdrawn' DESC
        )
        SELECT customer_id, channel, purpose, l.status AS entry, s.status AS state, l.occurred_at, s.since
        FROM latest l
        FULL JOIN consent_state s USING (customer_id, channel, purpose)
        WHERE (l.status, l.occurred_at) IS DISTINCT FROM (s.status, s.since)
    """,
)
invariant(
    "consent.grants_have_source_and_time",
    guarantee=17,
    promise="No consent is granted without a source and a time that had come when it was recorded.",
    query="""
        SELECT id, customer_id, source, occurred_at, recorded_at
        FROM consent_entry
        WHERE status = 'granted' AND (btrim(source) = '' OR occurred_at > recorded_at + interval '5 minutes')
    """,
)
invariant(
    "consent.belongs_to_somebody",
    guarantee=20,
    promise="Nothing is kept about the consent of people who were erased.",
    query="""
        SELECT k.customer_id, k.channel, k.purpose
        FROM consent_state k LEFT JOIN customer c ON c.id = k.customer_id
        WHERE c.id IS NULL
    """,
)
