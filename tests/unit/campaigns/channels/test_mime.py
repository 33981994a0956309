"""Mail as octets: what a standard parser reads is what was meant, whatever the values hold."""

import email
import email.policy
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.channels.message import OutgoingEmail
from campaigns.channels.mime import (
    MAX_LINE,
    BadAddress,
    Skeleton,
    envelope_address,
    header_text,
    mailbox,
    message_id,
    number_of,
    on_the_wire,
)

SKELETON = Skeleton(from_email="shop@example.com", from_name="Shöp, Ltd", reply_to="help@example.com", boundary="=_b")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


def mail(**fields: object) -> OutgoingEmail:
    given_ = {"id": 77, "to": "a@example.com", "subject": "Hi", "html": "<p>Hi</p>", "text": "Hi"} | fields
    return OutgoingEmail(**given_, date=datetime(2026, 3, 10, 12, tzinfo=UTC))  # type: ignore[arg-type]


def parsed(octets: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(octets, policy=email.policy.default)  # type: ignore[return-value]


@given(html=TEXT, text=TEXT, eight_bit=st.booleans())
def test_both_parts_come_out_as_they_went_in(html: str, text: str, eight_bit: bool) -> None:
    octets = SKELETON.fill(mail(html=html, text=text), eight_bit=eight_bit)
    message = parsed(octets)
    for kind, given_ in (("plain", text), ("html", html)):
        part = message.get_body((kind,))
        assert part is not None
        read = part.get_payload(decode=True)
        assert isinstance(read, bytes)
        assert _lines(read.decode()) == _lines(given_)
    assert eight_bit or octets.isascii()
    assert max(map(len, octets.split(b"\r\n"))) <= MAX_LINE
    assert b"\n" not in octets.replace(b"\r\n", b"")
    assert b"\r" not in octets.replace(b"\r\n", b"")


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


@given(st.text(max_size=300))
def test_a_subject_is_one_header_whatever_it_holds(subject: str) -> None:
    message = parsed(SKELETON.fill(mail(subject=subject), eight_bit=True))
    assert message.keys() == ["From", "Reply-To", "MIME-Version", "Content-Type", "To", "Subject", "Message-ID", "Date"]
    written = header_text(subject)
    assert all(len(line) <= 78 for line in written.split("\r\n "))
    assert "\0" not in written


@pytest.mark.parametrize(
    "subject", ["Hello", "Grüße an Jürgen", "=?utf-8?q?x?=", "日本語" * 40, "x" * 300, "a" * 69 + " b c", "Tab\there"]
)
def test_a_subject_reads_as_written(subject: str) -> None:
    message = parsed(SKELETON.fill(mail(subject=subject), eight_bit=True))
    assert message["Subject"] == subject.replace("\t", " ")


def test_the_sender_stands_in_the_headers() -> None:
    message = parsed(SKELETON.fill(mail(), eight_bit=True))
    assert message["From"].addresses[0].display_name == "Shöp, Ltd"
    assert message["From"].addresses[0].addr_spec == "shop@example.com"
    assert mailbox('Quote "me", now', "a@b.c") == '"Quote \\"me\\", now" <a@b.c>'
    assert message["Message-ID"] == "<m4d@example.com>"
    assert message["Date"].datetime == datetime(2026, 3, 10, 12, tzinfo=UTC)


@given(st.integers(1, 2**63 - 1))
def test_the_message_id_names_our_message(number: int) -> None:
    assert number_of(message_id(number, "example.com")) == number
    assert number_of("<abc@gmail.com>") is None


@given(st.lists(st.sampled_from(["", ".", "..", "x", ".x", "x."]), max_size=20))
def test_dots_survive_the_wire(lines: list[str]) -> None:
    message = "\r\n".join(lines).encode() + b"\r\n"
    wire = on_the_wire(message)
    assert wire.endswith(b".\r\n")
    body = wire[: -len(b".\r\n")]
    assert b"\r\n" + body == b"\r\n" + message.replace(b"\r\n.", b"\r\n..") if not message.startswith(b".") else True
    read = [line[1:] if line.startswith(b".") else line for line in body.split(b"\r\n")]
    assert b"\r\n".join(read) == message
    assert b"." not in body.split(b"\r\n")


@pytest.mark.parametrize(
    ("written", "envelope"),
    [("a@example.com", "a@example.com"), ("a@münchen.de", "a@xn--mnchen-3ya.de"), ("ä@example.com", "ä@example.com")],
)
def test_addresses_for_the_envelope(written: str, envelope: str) -> None:
    assert envelope_address(written) == envelope


@pytest.mark.parametrize(
    "wrong", ["", "a", "a@", "@b", "a b@c", "a@b\r\n", "a@b>", "<a@b>", "a@b,c@d", "x" * 250 + "@b.de"]
)
def test_no_envelope_for_what_is_no_address(wrong: str) -> None:
    with pytest.raises(BadAddress):
        envelope_address(wrong)
