-- The current state of one person out of all entries; of two at the same instant the withdrawal holds.
INSERT INTO consent_state (customer_id, channel, purpose, status, since)
SELECT DISTINCT ON (channel, purpose) customer_id, channel, purpose, status, occurred_at
FROM consent_entry
WHERE customer_id = %(winner)s
ORDER BY channel, purpose, occurred_at DESC, status = 'withdrawn' DESC
