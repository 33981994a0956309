"""Pure: the channels, their numbers in message ids, and where a customer's address for each stands."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Channel:
    """`number` is part of every message id (3 bits) and never changes.

    `address` and `digest` name the columns of `customer` that hold the address and its keyed hash; None where the
    channel has no address in the profile yet.
    """

    key: str
    number: int
    address: str | None = None
    digest: str | None = None


CHANNELS: dict[str, Channel] = {
    channel.key: channel
    for channel in (
        Channel("email", 1, "email", "email_digest"),
        Channel("sms", 2, "phone", "phone_digest"),
        Channel("whatsapp", 3, "phone", "phone_digest"),
        Channel("telegram", 4),
        Channel("push", 5),
        Channel("letter", 6),
        Channel("webhook", 7),
    )
}
NUMBERS: dict[str, int] = {key: channel.number for key, channel in CHANNELS.items()}
BY_NUMBER: dict[int, str] = {number: key for key, number in NUMBERS.items()}

PURPOSES = ("marketing", "service", "transactional")
