"""What must always hold for templates."""

from loyalty.kit.checks import invariant

invariant(
    "content.current_version",
    guarantee=13,
    promise="a template's current version is its own newest one",
    query="""
    SELECT t.id, t.key, t.current_version_id, v.id AS newest FROM template t
    LEFT JOIN LATERAL (SELECT id FROM template_version WHERE template_id = t.id ORDER BY number DESC LIMIT 1) v ON true
    WHERE t.current_version_id IS DISTINCT FROM v.id""",
)
invariant(
    "content.unsubscribe",
    guarantee=14,
    promise="every locale of a marketing email links to the unsubscribe page and has a text part",
    query="""
    SELECT t.key, l.key AS locale FROM template t JOIN template_version v ON v.id = t.current_version_id
    CROSS JOIN LATERAL jsonb_each(v.compiled -> 'locales') AS l
    WHERE t.channel = 'email' AND t.purpose = 'marketing'
    AND (l.value ->> 'html' NOT LIKE '%unsubscribe_url%' OR coalesce(l.value ->> 'text', '') = '')""",
)
