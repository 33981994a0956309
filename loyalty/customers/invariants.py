"""What must always hold for customers and imports."""

from loyalty.kit.checks import invariant

invariant(
    "customers.address_has_its_hash",
    guarantee=17,
    promise="Every address in a profile has the hash that suppressions are compared with, and no hash stands alone.",
    query="""
        SELECT id, email IS NOT NULL AS email, email_digest IS NOT NULL AS email_hash,
               phone IS NOT NULL AS phone, phone_digest IS NOT NULL AS phone_hash
        FROM customer
        WHERE (email IS NULL) <> (email_digest IS NULL) OR (phone IS NULL) <> (phone_digest IS NULL)
    """,
)
invariant(
    "customers.same_address_same_hash",
    guarantee=17,
    promise="One email address has one hash, in whatever case it is written.",
    query="""
        SELECT count(DISTINCT email_digest) AS hashes, min(id) AS customer_id
        FROM customer WHERE email IS NOT NULL
        GROUP BY lower(email) HAVING count(DISTINCT email_digest) > 1
    """,
)
invariant(
    "customers.attributes_are_known",
    guarantee=15,
    promise="Every key in a profile's attributes is in the catalog.",
    query="""
        SELECT key FROM (SELECT DISTINCT jsonb_object_keys(attributes) AS key FROM customer) used
        WHERE NOT EXISTS (SELECT FROM attribute a WHERE a.key = used.key)
    """,
)
invariant(
    "customers.imports_lose_nothing",
    guarantee=16,
    promise="A finished import has read its file to the end, and rows that it refused are in a file.",
    query="""
        SELECT id, kind, file_name, cursor_bytes, size_bytes, rejected, rejected_bytes
        FROM import_job
        WHERE cursor_bytes > size_bytes
           OR (rejected > 0) <> (rejected_bytes > 0)
           OR accepted < created + changed
    """,
)
