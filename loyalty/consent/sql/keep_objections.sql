-- Before people are erased: who had withdrawn a purpose must not get it again under the same address, should it be
-- imported once more. Only the keyed hash stays.
INSERT INTO suppression (channel, digest, purpose, reason, created_at)
SELECT k.channel, d.digest, k.purpose, 'withdrawn', k.since
FROM consent_state k
JOIN customer c ON c.id = k.customer_id
CROSS JOIN LATERAL (
    SELECT CASE WHEN k.channel = 'email' THEN c.email_digest
                WHEN k.channel IN ('sms', 'whatsapp', 'phone') THEN c.phone_digest END AS digest
) d
WHERE k.customer_id = ANY(%(ids)s) AND k.status = 'withdrawn' AND k.purpose IN ('marketing', 'profiling')
  AND d.digest IS NOT NULL
ON CONFLICT DO NOTHING
