"""Pure: links found at template time, so that sending a message only fills holes.

A fixed address becomes `{{ _links[n] }}`, its number within the version; an address with values becomes `{{ (...) |
_click(_links) }}`, which checks the finished address and asks for its tracked form. Unsubscribe and preference links,
mailto, tel and anchors stay as they are. Images whose address comes from data go through a check too.
"""

import html
import re
from dataclasses import dataclass, field

from campaigns.content.hygiene import ADDRESSES
from campaigns.content.markup import pieces, rewrite
from campaigns.content.protect import EXPRESSION, Protected

_OWN = re.compile(r"\b(?:unsubscribe_url|preferences_url|confirm_url)\b")
_TEXT_ADDRESS = re.compile(r"https?://[^\s<>\"'()\[\]]+")
_TRAILING = ".,;:!?"


@dataclass(slots=True)
class LinkNumbers:
    """The fixed addresses of one version; the same address has one number wherever it stands, in every locale."""

    urls: list[str] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    def number(self, url: str) -> int:
        number = self._numbers.get(url)
        if number is None:
            number = self._numbers[url] = len(self.urls)
            self.urls.append(url)
        return number


def track_html(protected: Protected, text: str, numbers: LinkNumbers) -> str:
    """HTML with its links replaced as told above."""
    changes = []
    for piece in pieces(text):
        if piece.kind != "open":
            continue
        for attribute in piece.attributes:
            if attribute.name not in ADDRESSES:
                continue
            # v:roundrect and its like are Outlook's buttons, which are links too.
            link = attribute.name == "href" and piece.name != "link"
            value = attribute.value
            change = _tracked(protected, value, html.unescape(value), numbers) if link else _checked(protected, value)
            if change is not None:
                changes.append((attribute.start, attribute.end, change))
    return rewrite(text, changes)


def track_text(protected: Protected, text: str, numbers: LinkNumbers) -> str:
    """Plain text with its http(s) addresses replaced."""
    changes = []
    for match in _TEXT_ADDRESS.finditer(text):
        address = match.group().rstrip(_TRAILING)
        change = _tracked(protected, address, address, numbers)
        if change is not None:
            changes.append((match.start(), match.start() + len(address), change))
    return rewrite(text, changes)


def _tracked(protected: Protected, value: str, address: str, numbers: LinkNumbers) -> str | None:
    """`value` as it stands in the source, `address` what it means there (entities resolved in HTML)."""
    found = protected.found(value)
    if any(_OWN.search(tag.inside) for tag in found):
        return None
    if found:
        return _filtered(protected, value, "_click(_links)")
    address = address.strip()
    if not address.lower().startswith(("http://", "https://")):
        return None
    return protected.add(f"{{{{ _links[{numbers.number(address)}] }}}}")


def _checked(protected: Protected, value: str) -> str | None:
    return _filtered(protected, value, "_source") if protected.found(value) else None


def _filtered(protected: Protected, value: str, filter_call: str) -> str:
    parts = protected.split(value.strip())
    if len(parts) == 1 and not isinstance(parts[0], str) and parts[0].kind == EXPRESSION:
        return protected.add(f"{{{{ ({parts[0].inside}) | {filter_call} }}}}")
    return protected.add(f"{{% filter {filter_call} %}}") + value + protected.add("{% endfilter %}")
