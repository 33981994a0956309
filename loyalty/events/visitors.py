"""Pure: who a visitor of a website is: ids made in the browser, and tokens by which others vouch for a person.

A browser may say anything, so what it claims about a person is never believed. A shop's server vouches with a JSON Web
Token (RFC 7519, HS256) signed with the website's secret: `sub` is the external id, `exp` ends it within a day. Our own
links vouch with a sealed token that names the customer and is good for an hour.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from loyalty.kit.tokens import BadToken, seal, unseal

# Random enough that nobody guesses another's; the prefix keeps them apart from anonymous ids that servers make.
_ID = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
PREFIX = "web."
LONGEST_TOKEN = 2000
LONGEST_LIFE = timedelta(days=1)
LINK_LIFE = timedelta(hours=1)
# Servers' clocks differ by that much.
LEEWAY = timedelta(seconds=60)
_PURPOSE = "visitor"


def anonymous_id(value: object) -> str | None:
    """The anonymous id of a visitor in our own namespace; None for what no browser of ours made."""
    return f"{PREFIX}{value}" if isinstance(value, str) and _ID.fullmatch(value) else None


def site_secret(key: str, number: int, *, secret: str) -> str:
    """The secret of a website, made from the installation's own; another number is another secret."""
    return hmac.new(secret.encode(), f"website:{key}:{number}".encode(), hashlib.sha256).hexdigest()


def signed_by_shop(external_id: str, *, secret: str, expires: datetime) -> str:
    """What the shop's server makes; here for tests and as the reference in the documentation."""
    head = _encode({"alg": "HS256", "typ": "JWT"})
    body = _encode({"sub": external_id, "exp": int(expires.timestamp())})
    return f"{head}.{body}.{_text(hmac.digest(secret.encode(), f'{head}.{body}'.encode(), 'sha256'))}"


def read_shop_token(token: str, *, secrets: Sequence[str], now: datetime) -> str:
    """The external id that a shop's token vouches for; raises BadToken for a wrong signature, end or shape."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > LONGEST_TOKEN:
        raise BadToken("not a token of three parts")
    signed = f"{parts[0]}.{parts[1]}".encode()
    given = _bytes(parts[2])
    if not any(hmac.compare_digest(hmac.digest(one.encode(), signed, "sha256"), given) for one in secrets):
        raise BadToken("not signed with this website's secret")
    head, body = _decode(parts[0]), _decode(parts[1])
    # The signature is HMAC-SHA-256 whatever the head says; a head that says otherwise was not made for us.
    if head.get("alg") != "HS256":
        raise BadToken("the algorithm must be HS256")
    subject, ends = body.get("sub"), body.get("exp")
    if not isinstance(subject, str) or not subject.strip():
        raise BadToken("sub must be the external id")
    if not isinstance(ends, int) or isinstance(ends, bool):
        raise BadToken("exp must be the second at which it ends")
    left = ends - now.timestamp()
    if left < -LEEWAY.total_seconds():
        raise BadToken("it has ended")
    if left > (LONGEST_LIFE + LEEWAY).total_seconds():
        raise BadToken("exp must be within a day")
    return subject.strip()


def link_token(customer_id: int, *, now: datetime, secret: str) -> str:
    """A token by which a link of ours vouches for a customer, good for an hour."""
    payload = customer_id.to_bytes(8) + int((now + LINK_LIFE).timestamp()).to_bytes(5)
    return seal(payload, purpose=_PURPOSE, secret=secret)


def read_link_token(token: str, *, secrets: tuple[str, ...], now: datetime) -> int:
    """The customer whom a link's token vouches for; raises BadToken."""
    payload = unseal(token, purpose=_PURPOSE, secrets=secrets)
    if len(payload) != 13:
        raise BadToken("not a visitor's token")
    if int.from_bytes(payload[8:]) < now.timestamp():
        raise BadToken("it has ended")
    return int.from_bytes(payload[:8])


def _encode(value: dict[str, Any]) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _decode(part: str) -> dict[str, Any]:
    try:
        found = json.loads(_bytes(part))
    except (ValueError, RecursionError):
        raise BadToken("not JSON") from None
    if not isinstance(found, dict):
        raise BadToken("not an object")
    return found


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise BadToken("not base64url") from None
