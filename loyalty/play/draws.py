"""Pure: draws that nobody can foresee and everybody can check.

A game has a secret of 256 random bits. The draw of a play is HMAC-SHA-256 of the secret over the play's nonce, its
first 52 bits as a fraction of one. The SHA-256 of the secret (the commitment) is published before the first play, the
secret itself after the last: whoever has both can recompute every draw, and nobody could have chosen them afterwards.
"""

import hashlib
import hmac
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

P = TypeVar("P")

_BITS = 52


def commitment(secret: bytes) -> str:
    """What is published before the game: the SHA-256 of its secret."""
    return hashlib.sha256(secret).hexdigest()


def nonce(customer_id: int, number: int) -> str:
    """What makes a play different from every other of its game; known before it, so nothing can be tried twice."""
    return f"{customer_id}-{number}"


def draw(secret: bytes, nonce: str) -> float:
    """A number in [0, 1), exact as a float."""
    digest = hmac.digest(secret, nonce.encode(), "sha256")
    return (int.from_bytes(digest[:8]) >> (64 - _BITS)) / (1 << _BITS)


def pick(drawn: float, odds: Sequence[tuple[P, Decimal]]) -> P | None:
    """The prize whose share of [0, 1) the draw falls into; None when it falls behind all of them."""
    reached, exact = Fraction(0), Fraction(drawn)
    for prize, chance in odds:
        reached += Fraction(chance)
        if exact < reached:
            return prize
    return None


def shuffled(secret: bytes, nonce: str, count: int) -> list[int]:
    """An order of `count` things, as unforeseeable as a draw: by the HMAC of the nonce and each one's number."""
    return sorted(range(count), key=lambda place: hmac.digest(secret, f"{nonce}/{place}".encode(), "sha256"))


def ticket(number: int) -> str:
    """The nonce of a ticket in a prize draw."""
    return f"ticket-{number}"


def pads(secret: bytes) -> tuple[bytes, bytes]:
    """What HMAC-SHA-256 puts before the message and before its hash, for who has only SHA-256 (RFC 2104)."""
    key = secret.ljust(64, b"\0")
    return bytes(one ^ 0x36 for one in key), bytes(one ^ 0x5C for one in key)
