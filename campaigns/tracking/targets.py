"""Pure: where a click may lead."""

from urllib.parse import urlsplit

SCHEMES = frozenset({"http", "https"})
LONGEST = 8192


def is_target(url: str) -> bool:
    """Whether `url` is an absolute web address that a browser and this check read alike.

    Blanks, control characters and backslashes are refused: browsers drop or turn them, so the host read here would not
    be the host that is opened.
    """
    if len(url) > LONGEST or "\\" in url or any(char <= " " or char == "\x7f" for char in url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in SCHEMES and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
