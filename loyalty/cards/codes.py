"""What a phone shows at the till instead of plastic: a code that is good for some minutes, so that no picture of it is
worth anything."""

import struct
from datetime import UTC, datetime, timedelta

from django.conf import settings

from loyalty.kit.problems import Problem, Problems
from loyalty.kit.tokens import BadToken, seal, unseal

PURPOSE = "card"
PREFIX = "LC"
LASTS = timedelta(minutes=5)
_PAYLOAD = struct.Struct(">QI")


def code_for(customer_id: int, *, now: datetime, lasts: timedelta = LASTS) -> str:
    """The text of the QR code by which a till recognizes the customer until it ends."""
    payload = _PAYLOAD.pack(customer_id, int((now + lasts).timestamp()))
    return PREFIX + seal(payload, purpose=PURPOSE, secret=settings.SECRET_KEY)


def is_code(text: str) -> bool:
    """Whether the scanned text is such a code and no card number."""
    return text.startswith(PREFIX)


def read_code(text: str, *, now: datetime) -> int:
    """The customer of a scanned code; raises Problems for one that is not ours or too old."""
    try:
        secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
        raw = unseal(text.removeprefix(PREFIX), purpose=PURPOSE, secrets=secrets)
        customer_id, ends = _PAYLOAD.unpack(raw)
    except (BadToken, struct.error):
        raise Problems([Problem("qr", "is no code of ours", "scan it again, or ask for the card number")]) from None
    if now.timestamp() > ends:
        ended = datetime.fromtimestamp(ends, UTC).isoformat()
        raise Problems([Problem("qr", f"ran out at {ended}", "let the customer open the card again")])
    return int(customer_id)
