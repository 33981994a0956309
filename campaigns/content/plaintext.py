"""Pure: the text part of a mail, derived from its HTML at template time, in document order.

Jinja tags keep their place between the words, which a layout engine (inscriptis and the like set tables in columns)
would not promise. Links are written after their text, images give their alternative text, hidden parts are left out.
"""

import html
import re

from campaigns.content.markup import VOID, pieces
from campaigns.content.protect import Protected

_BREAKS = frozenset({"br", "tr", "dt", "dd", "option"})
_PARAGRAPHS = frozenset(
    {"p", "div", "table", "ul", "ol", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article", "header",
    "footer", "blockquote",
     "center", "pre", "figure"}
)  # fmt: skip
_SKIPPED = frozenset({"style", "script", "title", "head", "textarea", "template"})
_HIDDEN = re.compile(r"display\s*:\s*none", re.I)


def from_html(protected: Protected, text: str) -> str:
    """The readable text of HTML whose Jinja tags are words."""
    out: list[str] = []
    hidden: list[str] = []
    links: list[str] = []
    for piece in pieces(text):
        if piece.outlook or piece.kind == "raw":
            continue
        if hidden:
            if piece.kind == "open" and piece.name == hidden[0] and not piece.self_closing:
                hidden.append(piece.name)
            elif piece.kind == "close" and piece.name == hidden[0]:
                hidden.pop()
            continue
        if piece.kind == "text":
            out.append(re.sub(r"\s+", " ", html.unescape(text[piece.start : piece.end])))
        elif piece.kind == "comment":
            out.extend(match.group() for match in protected.word.finditer(text[piece.start : piece.end]))
        elif piece.kind == "open":
            hides = piece.name in _SKIPPED or _HIDDEN.search(piece.get("style") or "")
            if hides and piece.name not in VOID and not piece.self_closing:
                hidden.append(piece.name)
                continue
            out.append(_opening(piece.name, piece.get("alt")))
            if piece.name == "a":
                links.append(html.unescape(piece.get("href") or "").strip())
        elif piece.kind == "close":
            if piece.name == "a" and links:
                out.append(_link(links.pop(), out))
            out.append(_closing(piece.name))
    return _tidy("".join(out))


def _opening(name: str, alternative: str | None) -> str:
    if name == "img":
        return html.unescape(alternative or "")
    if name == "li":
        return "\n- "
    if name == "hr":
        return "\n\n----------\n\n"
    return "\n\n" if name in _PARAGRAPHS else "\n" if name in _BREAKS else " " if name in ("td", "th") else ""


def _closing(name: str) -> str:
    return "\n\n" if name in _PARAGRAPHS else "\n" if name in _BREAKS or name == "li" else ""


def _link(address: str, out: list[str]) -> str:
    if not address or address.startswith("#"):
        return ""
    shown = "".join(out[-3:]).strip()
    return "" if shown.endswith(address.removeprefix("mailto:").removeprefix("tel:")) else f" ( {address} )"


def _tidy(text: str) -> str:
    text = text.replace("\u00a0", " ").replace("\u200c", "").replace("\u00ad", "")
    lines = [re.sub(r"[ \t]+", " ", line).strip() for line in text.split("\n")]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
    return re.sub(r"\( (\S+) \)", r"( \1 )", text).strip() + "\n"
