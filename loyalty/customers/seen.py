"""Rows of files that were imported before as they are: told apart by a keyed hash, so that nobody reads them again.

A customer keeps the hash of the row that wrote it last and when that was. As long as nobody has written the profile
since (`updated_at` still says so), the same row can change nothing. The hash covers all that decides how a row is read:
the columns it goes to, what an empty cell does, and the types of the defined attributes.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence

from django.conf import settings

from loyalty.customers.catalog import attribute_fields
from loyalty.customers.imports import Chunk
from loyalty.kit.sql import fetch, sql


def row_digests(chunk: Chunk, *, options: str) -> list[bytes]:
    """A hash of each row of the chunk; `options` is what else decides how rows are read."""
    defined = sorted(
        (one.key, one.type, one.choices) for one in attribute_fields().values() if not one.learned and not one.column
    )
    how = repr((settings.ADDRESS_KEY, chunk.fields, options, defined)).encode()
    start = hashlib.blake2b(how, digest_size=16)
    found = []
    for row in chunk.rows:
        hashed = start.copy()
        # Cells with a NUL are refused, so no two rows that are stored have the same text.
        hashed.update("\0".join(row).encode("utf-8", "surrogatepass"))
        found.append(hashed.digest())
    return found


def unchanged(chunk: Chunk, digests: Sequence[bytes]) -> dict[int, int]:
    """{index of a row: its customer} of the rows that can change nothing; one query.

    None where rows may be about the same person: then their order decides.
    """
    if "external_id" not in chunk.fields:
        return {}
    place = chunk.fields.index("external_id")
    ids = [row[place].strip() for row in chunk.rows]
    if not all(ids):
        return {}
    # Only the ids go to the server: 20,000 hashes as parameters would cost a first import 3 us a row.
    query = sql(
        "SELECT c.external_id, c.id, c.row_digest FROM unnest({ids}::text[]) AS given (external_id)"
        " JOIN customer c ON c.external_id = given.external_id WHERE c.row_read_at = c.updated_at",
        ids=ids,
    )
    known = {external_id: (customer_id, digest) for external_id, customer_id, digest in fetch(query)}
    if not known:
        return {}
    times = Counter(ids)
    found = {}
    for index, (external_id, digest) in enumerate(zip(ids, digests, strict=True)):
        customer_id, stored = known.get(external_id, (0, None))
        if stored == digest and times[external_id] == 1:
            found[index] = customer_id
    return found
