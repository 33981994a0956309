"""Pure: signed requests between machines, both ways: `t=<unix seconds>,v1=<hex>` over `<t>.<body>` with HMAC-SHA-256.

The time is part of what is signed, so that a request that somebody has copied is worth nothing minutes later. While a
secret is changed, both verify.
"""

import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

HEADER = "Loyalty-Signature"
WINDOW = timedelta(minutes=5)
SHORTEST_SECRET = 16
_PART = re.compile(r"(t|v1)=([0-9a-f]{1,64})")


class BadSignature(ValueError):
    """The request was not signed by whom it says, or not now; the text says which."""


def sign(body: bytes, *, secret: str, at: datetime) -> str:
    """The value of the header."""
    seconds = int(at.timestamp())
    return f"t={seconds},v1={_digest(body, secret, seconds)}"


def verify(header: str, body: bytes, *, secrets: Sequence[str], now: datetime, window: timedelta = WINDOW) -> None:
    """Whether the body, byte for byte, was signed with one of the secrets at about this time; raises BadSignature."""
    parts = [_PART.fullmatch(part.strip()) for part in header.split(",")[:5]]
    times = [part[2] for part in parts if part and part[1] == "t"]
    given = [part[2] for part in parts if part and part[1] == "v1"]
    if len(times) != 1 or not times[0].isdigit() or len(times[0]) > 12 or not given:
        raise BadSignature(f"the header is not of the form {HEADER}: t=<seconds>,v1=<hex>")
    usable = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
    # All are compared, so that the time it takes tells nothing.
    matches = [hmac.compare_digest(_digest(body, secret, int(times[0])), one) for secret in usable for one in given]
    if not any(matches):
        raise BadSignature("the signature does not belong to this content and this secret")
    if abs(now.timestamp() - int(times[0])) > window.total_seconds():
        raise BadSignature("it was signed too long ago, or in the future: check the clock and sign each request anew")


def _digest(body: bytes, secret: str, seconds: int) -> str:
    return hmac.digest(secret.encode(), b"%d." % seconds + body, "sha256").hex()
