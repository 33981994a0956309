"""Where requests of ours may go, and how they are signed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.kit.destinations import Place, Policy, is_public, place_of
from loyalty.kit.signatures import BadSignature, sign, verify

INWARD = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.168.1.1", "198.18.0.1", "224.0.0.1", "239.255.255.250",
    "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1",
    "::", "::1", "::7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1", "fe80::1", "fe80::1%eth0", "fc00::1",
    "fd00:ec2::254", "fec0::1", "ff02::1", "100::1", "3fff::1", "5f00::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "172.32.0.1", "100.63.255.255", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]


@pytest.mark.parametrize("address", INWARD)
def test_what_leads_inward_is_refused(address: str) -> None:
    said = Policy().objection(Place("https", "shop.example", 443, "/"), address)
    assert said == f"{address} is not an address of the public internet"


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_allowed_at_its_usual_port(address: str) -> None:
    assert Policy().objection(Place("https", "shop.example", 443, "/"), address) == ""
    assert Policy().objection(Place("https", "shop.example", 6379, "/"), address) == "port 6379 is not 443"


@given(st.ip_addresses(v=4), st.sampled_from(["::ffff:{}", "64:ff9b::{}"]))
def test_an_address_inside_another_is_judged_as_what_it_is(inner: object, around: str) -> None:
    from ipaddress import IPv6Address, ip_address

    assert is_public(IPv6Address(around.format(inner))) == is_public(ip_address(str(inner)))


def test_what_is_allowed_by_name_and_by_network() -> None:
    rules = Policy.of(["10.1.0.0/16", "erp.internal", "erp.internal:8443", "[::1]:8080"])
    erp = Place("https", "erp.internal", 443, "/")
    assert rules.objection(erp, "192.168.7.7") == ""
    assert rules.objection(Place("https", "erp.internal", 8443, "/"), "192.168.7.7") == ""
    assert rules.objection(Place("https", "erp.internal", 22, "/"), "192.168.7.7")
    assert rules.objection(Place("https", "other.example", 443, "/"), "192.168.7.7")
    assert rules.objection(Place("https", "other.example", 8000, "/"), "10.1.200.3") == ""
    assert rules.objection(Place("https", "other.example", 443, "/"), "10.2.0.3")
    assert rules.objection(Place("https", "::1", 8080, "/"), "::1") == ""
    for entry in ("", "a b", "http://x", "erp/x", "10.0.0.0/99", "erp:port"):
        with pytest.raises(ValueError, match="neither a network nor a host"):
            Policy.of([entry])


def test_a_place_is_what_the_address_says() -> None:
    assert place_of("HTTPS://Shop.Example:8443/a b".replace(" ", "%20") + "?q=ü") == Place(
        "https", "shop.example", 8443, "/a%20b?q=%C3%BC"
    )
    assert place_of("https://bücher.example").host == "xn--bcher-kva.example"
    assert place_of("https://[2606:4700::1]/").header == "[2606:4700::1]"
    assert place_of("http://shop.example", plain=True).header == "shop.example"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://shop.example/", "is not encrypted: use https://"),
        ("gopher://shop.example/", "is no web address: begin with https://"),
        ("file:///etc/passwd", "is no web address: begin with https://"),
        ("https:///x", "is no web address: begin with https://"),
        ("https://me:secret@shop.example/", "has a name or a password in it: send them as a header"),
        ("https://shop.example@evil.example/", "has a name or a password in it: send them as a header"),
        ("https://shop.example\\@evil.example/", "holds a space, a backslash or a character that no address has"),
        ("https://shop.example/\r\nX: y", "holds a space, a backslash or a character that no address has"),
        ("https://shop.example:99999/", "is no web address"),
        ("https://a..b/", "names no host"),
        ("https://shop.example/" + "x" * 2000, "is longer than 2000 characters"),
    ],
)
def test_bad_addresses_say_what_is_wrong(url: str, said: str) -> None:
    with pytest.raises(ValueError) as refused:
        place_of(url)
    assert str(refused.value) == said


NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
SECRET = "a secret that is long enough"


def test_a_signature_is_what_the_page_says() -> None:
    header = sign(b'{"number": 7}', secret=SECRET, at=NOW)
    assert header == "t=1795316400,v1=" + header.partition("v1=")[2]
    import hashlib
    import hmac

    assert header.endswith(hmac.new(SECRET.encode(), b'1795316400.{"number": 7}', hashlib.sha256).hexdigest())
    verify(header, b'{"number": 7}', secrets=["an older one, also long", SECRET], now=NOW + timedelta(minutes=5))


@pytest.mark.parametrize(
    ("header", "body", "secrets", "late", "said"),
    [
        ("", b"x", [SECRET], 0, "not of the form"),
        ("v1=00", b"x", [SECRET], 0, "not of the form"),
        ("t=1795316400,v1=", b"x", [SECRET], 0, "not of the form"),
        (None, b"y", [SECRET], 0, "does not belong"),
        (None, b"x", ["another secret, also long"], 0, "does not belong"),
        (None, b"x", [], 0, "does not belong"),
        (None, b"x", [""], 0, "does not belong"),
        (None, b"x", [SECRET], 301, "too long ago"),
        (None, b"x", [SECRET], -301, "in the future"),
    ],
)
def test_what_was_not_signed_now_by_them_is_refused(
    header: str | None, body: bytes, secrets: list[str], late: int, said: str
) -> None:
    signed = sign(b"x", secret=SECRET, at=NOW) if header is None else header
    with pytest.raises(BadSignature, match=said):
        verify(signed, body, secrets=secrets, now=NOW + timedelta(seconds=late))


def test_an_empty_secret_signs_for_nobody() -> None:
    with pytest.raises(BadSignature):
        verify(sign(b"x", secret="", at=NOW), b"x", secrets=[""], now=NOW)
