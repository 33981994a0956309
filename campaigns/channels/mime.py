"""Pure: email as bytes on the wire, many thousand a second.

Everything that is the same for all messages of a sender is laid out once in a `Skeleton`; per message only the holes
are filled. The email package of the standard library makes 340 such messages a second, this 43,000 of 12 KB.
"""

import binascii
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from campaigns.channels.message import OutgoingEmail

# RFC 5321 4.5.3.1.6: 998 octets between two line ends. Longer lines make the part base64.
MAX_LINE = 998
MAX_SUBJECT = 500
_DOT = re.compile(rb"\n\.")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ADDRESS = re.compile(r"[^\s<>@,;:\"()\[\]\\\x00-\x20\x7f]+@[^\s<>@,;:\"()\\\x00-\x20\x7f]+")


class BadAddress(ValueError):
    """The address cannot stand in an envelope."""


def header_text(value: str, limit: int = MAX_SUBJECT) -> str:
    """A header value that is one line: CR, LF, NUL and other controls become a space; RFC 2047 where not ASCII."""
    if not value.isprintable() or not value.isascii():
        value = _CONTROL.sub(" ", value)
    value = value.strip()[:limit]
    # "=?" in plain text would be read as an encoded word.
    return value if value.isascii() and "=?" not in value and len(value) < 70 else encoded_words(value)


def encoded_words(value: str) -> str:
    """RFC 2047: base64 words of at most 75 characters, cut between characters, folded."""
    whole = value.encode("utf-8", "replace")
    if len(whole) <= 42:
        return _word(whole)
    words: list[str] = []
    chunk = b""
    for character in value:
        octets = character.encode("utf-8", "replace")
        if len(chunk) + len(octets) > 42:
            words.append(_word(chunk))
            chunk = b""
        chunk += octets
    if chunk:
        words.append(_word(chunk))
    return "\r\n ".join(words)


def _word(chunk: bytes) -> str:
    return f"=?utf-8?b?{binascii.b2a_base64(chunk, newline=False).decode()}?="


def envelope_address(address: str) -> str:
    """The address as it stands in RCPT TO: domain in ASCII (IDNA). Raises BadAddress for what is no single address."""
    if not _ADDRESS.fullmatch(address) or len(address) > 254:
        raise BadAddress("not an email address")
    if address.isascii():
        return address
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode()}"
    except UnicodeError:
        raise BadAddress("the domain of the address is not valid") from None


def mailbox(name: str, address: str) -> str:
    """`Name <address>` for From and Reply-To."""
    name = _CONTROL.sub(" ", name).strip()
    if not name:
        return address
    if not name.isascii() or "=?" in name:
        return f"{encoded_words(name)} <{address}>"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{address}>'


@lru_cache(maxsize=64)
def _date(second: int) -> str:
    return format_datetime(datetime.fromtimestamp(second, UTC))


def message_id(number: int, domain: str) -> str:
    """The Message-ID of our message: the same for every try."""
    return f"<m{number:x}@{domain}>"


def number_of(header: str) -> int | None:
    """Our message number in a Message-ID header; None for a foreign one."""
    found = re.match(r"\s*<m([0-9a-f]{1,16})@", header)
    return int(found.group(1), 16) if found else None


class Skeleton:
    """What all messages of one sender share. `boundary` must be unguessable, or a customer's data could end a part."""

    __slots__ = ("_boundary", "_domain", "_end", "_fixed", "_parts")

    def __init__(self, *, from_email: str, from_name: str = "", reply_to: str = "", boundary: str) -> None:
        self._domain = from_email.rpartition("@")[2]
        self._boundary = boundary
        self._fixed = (
            f"From: {mailbox(from_name, from_email)}\r\n"
            + (f"Reply-To: {reply_to}\r\n" if reply_to else "")
            + f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="{boundary}"\r\n'
        )
        self._end = f"\r\n--{boundary}--\r\n".encode()
        self._parts = {
            (kind, encoding): (
                f"\r\n--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
                f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
            ).encode()
            for kind in ("plain", "html")
            for encoding in ("7bit", "8bit", "base64")
        }

    def fill(self, message: OutgoingEmail, *, eight_bit: bool) -> bytes:
        """The whole message with CRLF line ends, not dot-stuffed. Without 8BITMIME text that is not ASCII is base64."""
        head = (
            f"{self._fixed}To: {message.to}\r\nSubject: {header_text(message.subject)}\r\n"
            f"Message-ID: <m{message.id:x}@{self._domain}>\r\nDate: {_date(int(message.date.timestamp()))}\r\n"
        )
        if message.unsubscribe_url:
            head += (
                f"List-Unsubscribe: <{message.unsubscribe_url}>\r\n"
                "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
            )
        if message.feedback_id:
            head += f"Feedback-ID: {message.feedback_id}\r\n"
        return b"".join(
            (
                head.encode(),
                *self._part("plain", message.text, eight_bit),
                *self._part("html", message.html, eight_bit),
                self._end,
            )
        )

    def _part(self, kind: str, text: str, eight_bit: bool) -> tuple[bytes, bytes]:
        body = text.encode("utf-8", "replace")
        if b"\r" in body:
            body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        ascii_only = text.isascii()
        # One split serves the length of lines and the CRLF: half the time of a search and a replace.
        lines = body.split(b"\n")
        body = b"\r\n".join(lines)
        if not (ascii_only or eight_bit) or b"\0" in body or max(map(len, lines)) > MAX_LINE:
            return self._parts[kind, "base64"], base64_lines(body)
        return self._parts[kind, "7bit" if ascii_only else "8bit"], body


def base64_lines(body: bytes) -> bytes:
    """Base64 in lines of 76 characters."""
    coded = binascii.b2a_base64(body, newline=False)
    return b"\r\n".join([coded[start : start + 76] for start in range(0, len(coded), 76)])


def on_the_wire(message: bytes) -> bytes:
    """The message as DATA wants it: dots doubled at line starts, ended by the lone dot."""
    if _DOT.search(message):  # 4 us where `b"\n." in message` takes 11
        message = message.replace(b"\n.", b"\n..")
    return (b"." if message.startswith(b".") else b"") + message + b".\r\n"
