"""Where a click may lead."""

import pytest

from campaigns.tracking.targets import is_target


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "http://example.com:8080/a?b=c#d",
        "https://müller.example/straße",
        "HTTPS://EXAMPLE.com/",
        "https://[2001:db8::1]/x",
    ],
)
def test_web_addresses(url: str) -> None:
    assert is_target(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "//evil.example",
        "/relative",
        "\\\\evil.example",
        "https:\\evil.example",
        "https://good.example\\@evil.example",
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "mailto:a@example.com",
        "ftp://example.com",
        "https://",
        "https:///path",
        "https://exa mple.com",
        "https://example.com/\r\nSet-Cookie: a=b",
        "https://example.com/\x00",
        "https://example.com:99999/",
        "https://example.com:0/",
        "https://[::1",
        "https://example.com/" + "a" * 9000,
    ],
)
def test_everything_else(url: str) -> None:
    assert not is_target(url)
