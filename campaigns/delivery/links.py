"""Every token in a public URL is made and read here, so that what is promised about one is promised about all.

A token says which message (or person) it belongs to and nothing that anybody outside could read (`loyalty.kit.tokens`).
A click on a link of the template carries its number and the target is looked up here; a link made of data carries its
target inside the sealed token. So a click can only go where the template said.
"""

import struct
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from django.conf import settings

from campaigns.channels.names import BY_NUMBER, NUMBERS, PURPOSES
from loyalty.kit.tokens import BadToken, seal, unseal

_MESSAGE = struct.Struct(">q")
_STATIC = struct.Struct(">qH")
_UNSUBSCRIBE = struct.Struct(">qqBB")
_PREFERENCES = struct.Struct(">qq")
_DYNAMIC = 0xFFFF
_OTHER_PURPOSES = {"tracking": 101, "profiling": 102}
_PURPOSE_NUMBERS = {purpose: number for number, purpose in enumerate(PURPOSES, start=1)} | _OTHER_PURPOSES
_PURPOSES = {number: purpose for purpose, number in _PURPOSE_NUMBERS.items()}


class Click(NamedTuple):
    """A clicked link: `link` is its number in the template version, or None for one made of data, whose target is
    `url`."""

    message_id: int
    link: int | None
    url: str | None


class Unsubscribe(NamedTuple):
    message_id: int
    customer_id: int
    channel: str
    purpose: str


class Preferences(NamedTuple):
    customer_id: int
    message_id: int


def click_token(message_id: int, link: int | None, url: str | None = None) -> str:
    """The token of link number `link` of a template version, or of `url` when the number is None."""
    if link is not None:
        return _seal(_STATIC.pack(message_id, link), "click")
    return _seal(_STATIC.pack(message_id, _DYNAMIC) + (url or "").encode(), "click")


def read_click(token: str) -> Click:
    """What a click token says; raises BadToken."""
    payload = _unseal(token, "click")
    if len(payload) < _STATIC.size:
        raise BadToken("not a click")
    message_id, link = _STATIC.unpack_from(payload)
    if link == _DYNAMIC:
        return Click(message_id, None, payload[_STATIC.size :].decode())
    return Click(message_id, link, None)


def open_token(message_id: int) -> str:
    """The token of the open pixel of a message."""
    return _seal(_MESSAGE.pack(message_id), "open")


def read_open(token: str) -> int:
    """The message of an open pixel; raises BadToken."""
    return int(_unpack(_MESSAGE, token, "open")[0])


def unsubscribe_token(message_id: int, customer_id: int, channel: str, purpose: str) -> str:
    """The token by which this person withdraws this purpose on this channel; it never expires."""
    payload = _UNSUBSCRIBE.pack(message_id, customer_id, NUMBERS[channel], _PURPOSE_NUMBERS[purpose])
    return _seal(payload, "unsubscribe")


def read_unsubscribe(token: str) -> Unsubscribe:
    """What an unsubscribe token says; raises BadToken."""
    message_id, customer_id, channel, purpose = _unpack(_UNSUBSCRIBE, token, "unsubscribe")
    return Unsubscribe(message_id, customer_id, BY_NUMBER[channel], _PURPOSES[purpose])


def preferences_token(customer_id: int, message_id: int = 0) -> str:
    """The token of a person's preference page; `message_id` 0 when it came from elsewhere."""
    return _seal(_PREFERENCES.pack(customer_id, message_id), "preferences")


def read_preferences(token: str) -> Preferences:
    """What a preferences token says; raises BadToken."""
    return Preferences(*_unpack(_PREFERENCES, token, "preferences"))


def confirm_token(request_id: UUID) -> str:
    """The token by which the owner of an address confirms a double opt-in; its request says how long it counts."""
    return _seal(request_id.bytes, "confirm")


def read_confirm(token: str) -> UUID:
    """The request of a confirmation token; raises BadToken."""
    payload = _unseal(token, "confirm")
    if len(payload) != 16:
        raise BadToken("not a token for confirm")
    return UUID(bytes=payload)


@dataclass(slots=True)
class MessageLinks:
    """The links of one message, as the renderer asks for them. Without consent to tracking they are plain."""

    message_id: int
    customer_id: int
    channel: str
    purpose: str
    tracked: bool
    base: str

    def click(self, index: int | None, url: str) -> str:
        """Where a link points: at us when tracked, else straight at its target."""
        return f"{self.base}/t/c/{click_token(self.message_id, index, url)}" if self.tracked else url

    def open_pixel(self) -> str | None:
        """The pixel's address, or None when opens are not tracked."""
        return f"{self.base}/t/o/{open_token(self.message_id)}" if self.tracked else None

    @property
    def unsubscribe(self) -> str:
        token = unsubscribe_token(self.message_id, self.customer_id, self.channel, self.purpose)
        return f"{self.base}/u/{token}"

    @property
    def preferences(self) -> str:
        return f"{self.base}/p/{preferences_token(self.customer_id, self.message_id)}"


def _seal(payload: bytes, purpose: str) -> str:
    return seal(payload, purpose=purpose, secret=settings.SECRET_KEY)


def _unseal(token: str, purpose: str) -> bytes:
    return unseal(token, purpose=purpose, secrets=(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


def _unpack(form: struct.Struct, token: str, purpose: str) -> tuple[int, ...]:
    payload = _unseal(token, purpose)
    if len(payload) != form.size:
        raise BadToken(f"not a token for {purpose}")
    return form.unpack(payload)
