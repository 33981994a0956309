"""Tokens of public URLs: opaque, bound to one purpose, worthless when changed."""

import base64
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.kit.tokens import MAC_BYTES, BadToken, seal, unseal

SECRET = "s" * 40


@given(st.binary(min_size=1, max_size=300))
def test_what_was_sealed_comes_back(payload: bytes) -> None:
    token = seal(payload, purpose="click", secret=SECRET)
    assert unseal(token, purpose="click", secrets=(SECRET,)) == payload
    assert token.isascii()
    assert not set(token) & set("+/=")


def test_another_purpose_or_secret_is_refused() -> None:
    token = seal(b"42", purpose="click", secret=SECRET)
    for purpose, secret in (("unsubscribe", SECRET), ("click", "other")):
        with pytest.raises(BadToken):
            unseal(token, purpose=purpose, secrets=(secret,))
    assert unseal(token, purpose="click", secrets=("new", SECRET)) == b"42"


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_one_changed_bit_is_refused(place: int, change: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(seal(b"12345678", purpose="click", secret=SECRET) + "=="))
    raw[place % len(raw)] ^= change
    with pytest.raises(BadToken):
        unseal(base64.urlsafe_b64encode(raw).rstrip(b"=").decode(), purpose="click", secrets=(SECRET,))


@pytest.mark.parametrize("text", ["", "x", "a" * 22, "ä", "====", "a b", "../../etc", "A" * 5_000, "\0"])
def test_text_that_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(BadToken):
        unseal(text, purpose="click", secrets=(SECRET,))


def test_a_token_has_one_spelling() -> None:
    token = seal(b"1", purpose="click", secret=SECRET)
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(token[-1])
    twin = token[:-1] + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last ^ 1]
    for other in (twin, token + "=", token + "A"):
        with pytest.raises(BadToken):
            unseal(other, purpose="click", secrets=(SECRET,))


def test_the_payload_cannot_be_read() -> None:
    token = seal(b"customer-4711", purpose="click", secret=SECRET)
    assert b"4711" not in base64.urlsafe_b64decode(token + "==")


@given(st.binary(min_size=1, max_size=300), st.sampled_from(["click", "open"]), st.text(max_size=80))
def test_the_mac_is_what_the_standard_library_computes(payload: bytes, purpose: str, secret: str) -> None:
    token = seal(payload, purpose=purpose, secret=secret)
    root = hmac.digest(secret.encode(), b"public tokens", "sha256")
    key = hmac.digest(root, b"mac:" + purpose.encode(), "sha256")
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert raw[:MAC_BYTES] == hmac.digest(key, payload, "sha256")[:MAC_BYTES]
