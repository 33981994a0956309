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
invariant(
    "consent.confirmations_are_declared",
    guarantee=19,
    promise="Whatever was confirmed by double opt-in stands in the ledger at the instant of the click.",
    query="""
        SELECT r.id, r.customer_id, p.purpose
        FROM opt_in_request r CROSS JOIN LATERAL jsonb_array_elements_text(r.purposes) AS p (purpose)
        WHERE r.confirmed_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM consent_entry e
            WHERE e.customer_id = r.customer_id AND e.channel = r.channel AND e.purpose = p.purpose
                AND e.status = 'granted' AND e.occurred_at = r.confirmed_at)
    """,
)
invariant(
    "consent.choices_are_logged",
    guarantee=19,
    promise="No topic is switched off or on, and no break or frequency kept, that nobody chose.",
    query="""
        SELECT t.customer_id, t.topic FROM topic_choice t
        WHERE NOT EXISTS (SELECT FROM choice_entry e WHERE e.customer_id = t.customer_id AND e.kind = 'topic'
            AND e.topic = t.topic AND e.value = to_jsonb(t.wanted))
        UNION ALL
        SELECT p.customer_id, '' FROM contact_preference p
        WHERE NOT EXISTS (SELECT FROM choice_entry e WHERE e.customer_id = p.customer_id
            AND e.kind IN ('pause', 'frequency'))
    """,
)
