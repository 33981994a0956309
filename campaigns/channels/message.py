"""Pure: a message as it is handed to a provider, the same for every provider of its channel."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class OutgoingEmail:
    """One rendered email. `unsubscribe_url` (https) makes it a one-click list mail (RFC 8058); `feedback_id` is what
    mailbox providers report complaints by."""

    id: int
    to: str
    subject: str
    html: str
    text: str
    date: datetime
    unsubscribe_url: str | None = None
    feedback_id: str | None = None
