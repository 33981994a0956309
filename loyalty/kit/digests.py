"""Pure: keyed hashes of addresses. They survive erasure, so a suppressed address stays suppressed without being
known."""

import hmac


def address_digest(address: str, *, key: str) -> bytes:
    """HMAC-SHA-256 (first 16 bytes) of the address, lower-cased and stripped; `key` is `settings.ADDRESS_KEY`."""
    return hmac.digest(key.encode(), address.strip().lower().encode(), "sha256")[:16]
