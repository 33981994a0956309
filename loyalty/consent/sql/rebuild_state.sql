-- The current state of people out of all their entries; of two at the same instant the withdrawal holds.
INSERT INTO consent_state (customer_id, channel, purpose, status, since)
SELECT DISTINCT ON (customer_id, channel, purpose) customer_id, channel, purpose, status, occurred_at
FROM consent_entry
WHERE customer_id = ANY(%(ids)s)
ORDER BY customer_id, channel, purpose, occurred_at DESC, status = 'withdrawn' DESC
