"""Pure: codes as people type them, the hash they are found by, and the SQL that makes new ones.

A code is read without case, spaces and hyphens. Made codes use Crockford's 32 signs, none of which is mistaken for
another; who types O for 0, or I or L for 1, is understood.
"""

import hashlib
import re
from uuid import UUID

from loyalty.kit.sql import Sql, sql

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_DROPPED = re.compile(r"[\s-]+")
_MISREAD = str.maketrans("OIL", "011")
# A random uuid has 16 bytes; in two of them some bits are fixed.
_BYTES = [place for place in range(16) if place not in (6, 8)]


def fold(code: str) -> str:
    """The one spelling of a code."""
    return _DROPPED.sub("", code).upper()


def digest(folded: str) -> UUID:
    """The hash under which a folded code is stored."""
    return UUID(hashlib.md5(folded.encode(), usedforsecurity=False).hexdigest())


def digests(code: str) -> list[UUID]:
    """The hashes to look for: the code as typed, then as it was probably meant."""
    folded = fold(code)
    meant = folded.translate(_MISREAD)
    return [digest(folded)] if meant == folded else [digest(folded), digest(meant)]


def random_sql() -> Sql:
    """Random bytes for one code, made anew for each row: 28 of them without a fixed bit (see `code_sql`).

    PostgreSQL takes them from the system's source for keys.
    """
    return Sql("uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())")


def code_sql(pattern: str, random: Sql) -> Sql:
    """A code by the pattern from `random`, a bytea expression made by `random_sql`: each sign is equally likely."""
    places = iter([*_BYTES, *(16 + place for place in _BYTES)])
    pieces = []
    for piece in re.findall(r"\?|[^?]+", pattern):
        if piece == "?":
            byte = sql("get_byte({random}, {place})", random=random, place=Sql(str(next(places))))
            pieces.append(sql("substr({signs}, 1 + ({byte} & 31), 1)", signs=ALPHABET, byte=byte))
        else:
            pieces.append(sql("{text}::text", text=piece))
    return Sql(" || ").join(pieces)


def digest_sql(code: Sql) -> Sql:
    """The hash of a code that consists of capital letters, digits and hyphens."""
    return sql("md5(replace({code}, '-', ''))::uuid", code=code)
