-- Copies the loser's entries to the winner; the originals are deleted afterwards.
INSERT INTO consent_entry
    (customer_id, channel, purpose, status, occurred_at, recorded_at, source, text_version, evidence)
SELECT %(winner)s, channel, purpose, status, occurred_at, recorded_at, source, text_version, evidence
FROM consent_entry
WHERE customer_id = %(loser)s
ORDER BY id
ON CONFLICT DO NOTHING
