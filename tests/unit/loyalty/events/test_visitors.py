"""Visitors: ids and tokens that a browser cannot make up."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest

from loyalty.events.visitors import (
    anonymous_id,
    link_token,
    read_link_token,
    read_shop_token,
    signed_by_shop,
    site_secret,
)
from loyalty.kit.tokens import BadToken

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECRET = site_secret("shop", 1, secret="installation")


def handmade(head: object, body: object, secret: str = SECRET) -> str:
    """A token as any JWT library makes it."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (head, body)]
    mac = hmac.new(secret.encode(), ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, base64.urlsafe_b64encode(mac).rstrip(b"=").decode()])


def seconds(**later: float) -> int:
    return int((NOW + timedelta(**later)).timestamp())


def test_a_shop_vouches_for_a_person() -> None:
    token = handmade({"alg": "HS256", "typ": "JWT"}, {"sub": "c1", "exp": seconds(hours=1), "iat": 1})
    assert read_shop_token(token, secrets=["other", SECRET], now=NOW) == "c1"
    made = signed_by_shop("c1", secret=SECRET, expires=NOW + timedelta(hours=1))
    assert read_shop_token(made, secrets=[SECRET], now=NOW) == "c1"


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (handmade({"alg": "HS256"}, {"sub": "c1", "exp": seconds(hours=1)}, "wrong"), "not signed"),
        (handmade({"alg": "none"}, {"sub": "c1", "exp": seconds(hours=1)}), "algorithm"),
        (handmade({"alg": "HS256"}, {"sub": "c1", "exp": seconds(minutes=-2)}), "ended"),
        (handmade({"alg": "HS256"}, {"sub": "c1", "exp": seconds(days=2)}), "within a day"),
        (handmade({"alg": "HS256"}, {"sub": "c1"}), "exp must"),
        (handmade({"alg": "HS256"}, {"sub": 5, "exp": seconds(hours=1)}), "sub must"),
        (handmade({"alg": "HS256"}, ["c1"]), "not an object"),
        ("a.b", "three parts"),
        ("a.b.c", "not "),
        ("a." * 5000, "three parts"),
    ],
)
def test_other_tokens_are_refused(token: str, why: str) -> None:
    with pytest.raises(BadToken, match=why):
        read_shop_token(token, secrets=[SECRET], now=NOW)


def test_another_site_or_number_has_another_secret() -> None:
    keys = {site_secret(key, number, secret="installation") for key in ("shop", "blog") for number in (1, 2)}
    assert len(keys) == 4


def test_our_links_vouch_for_an_hour() -> None:
    token = link_token(2**40 + 7, now=NOW, secret="s")
    assert read_link_token(token, secrets=("new", "s"), now=NOW + timedelta(minutes=59)) == 2**40 + 7
    with pytest.raises(BadToken, match="ended"):
        read_link_token(token, secrets=("s",), now=NOW + timedelta(minutes=61))
    with pytest.raises(BadToken):
        read_link_token(token, secrets=("t",), now=NOW)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("a" * 16, "web." + "a" * 16),
        ("a" * 15, None),
        ("a" * 65, None),
        ("a" * 16 + ".", None),
        (5, None),
        (None, None),
    ],
)
def test_visitors_ids_are_apart_from_all_others(given: object, taken: str | None) -> None:
    assert anonymous_id(given) == taken
