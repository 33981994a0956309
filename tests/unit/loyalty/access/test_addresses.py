"""Whose address counts behind a proxy, and whose word does not."""

import pytest
from django.test import RequestFactory

from loyalty.access.addresses import client_address


@pytest.mark.parametrize(
    ("near", "told", "expected"),
    [
        ("8.8.4.4", None, "8.8.4.4"),
        # An address of the Internet: Python counts those set aside for documents among the private ones.
        ("8.8.4.4", "203.0.113.9", "8.8.4.4"),
        ("10.0.0.2", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.2", "203.0.113.9, nonsense", None),
        ("10.0.0.2", None, "10.0.0.2"),
        ("::1", "2001:DB8::1", "2001:db8::1"),
        ("", "203.0.113.9", "203.0.113.9"),
        ("", None, None),
        ("unix:", "203.0.113.9", None),
    ],
)
def test_the_address(near: str, told: str | None, expected: str | None) -> None:
    headers = {} if told is None else {"X-Forwarded-For": told}
    assert client_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR=near)) == expected
