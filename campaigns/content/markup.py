"""Pure: HTML and MJML cut into pieces with their places, in one pass and in linear time.

Not a browser: it finds tags, attributes with the exact span of their values, comments and raw text, which is what
linting and rewriting in place need. Outlook's conditional comments are looked into, because Outlook shows what they
hold.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
RAW_TEXT = frozenset({"script", "style", "title", "textarea", "xmp", "noembed"})
# In MJML these too; in HTML they are elements like any other.
RAW_MJML = RAW_TEXT | {"mj-style", "mj-title", "mj-preview"}

# Repetitions are bounded where a hostile text could otherwise make the search start over and over.
_NEXT = re.compile(
    r"<(?:(?P<open>[a-zA-Z][^\s/>]*)|/(?P<close>[a-zA-Z][^\s>]{0,60})\s{0,99}>|(?P<comment>!--)|(?P<other>[!?]))"
)
_ATTRIBUTE = re.compile(r"[\s/]*(?P<name>[^\s=/>]+)(?:\s*=\s*(?P<value>\"[^\"]*\"?|'[^']*'?|[^\s>]*))?")
_TAG_END = re.compile(r"\s*(/\s*)?>")
# Browsers end a comment at these too (HTML standard, 13.2.5.43 and following).
_EMPTY_COMMENT = re.compile(r"<!---?>")
_COMMENT_END = re.compile(r"--!?>")
_IF = re.compile(r"\[if[^\]]{0,200}\]>(?P<shown><!-->|<!---->)?", re.I)


@dataclass(frozen=True, slots=True)
class Attribute:
    """`start` and `end` span the value without its quotes."""

    name: str
    value: str
    quoted: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Piece:
    """`kind`: text, open, close, comment, condition (opens an Outlook part), end_condition, declaration, unclosed."""

    kind: str
    start: int
    end: int
    name: str = ""
    attributes: list[Attribute] = field(default_factory=list)
    self_closing: bool = False
    outlook: bool = False

    def get(self, name: str) -> str | None:
        """The raw value of an attribute, None without it."""
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute.value
        return None


def pieces(text: str, *, mjml: bool = False) -> Iterator[Piece]:
    """The text as pieces without gaps."""
    raw_text = RAW_MJML if mjml else RAW_TEXT
    position = 0
    outlook = False
    while match := _NEXT.search(text, position):
        if match.start() > position:
            yield Piece("text", position, match.start(), outlook=outlook)
        if match.group("comment"):
            piece = _comment(text, match.start(), outlook)
            if piece.kind == "condition":
                outlook = piece.outlook
            elif piece.kind == "end_condition":
                outlook = False
        elif match.group("other"):
            if text.startswith("<![endif]-->", match.start()):
                piece = Piece("end_condition", match.start(), match.start() + 12)
                outlook = False
            else:
                end = text.find(">", match.end())
                piece = Piece("declaration", match.start(), len(text) if end < 0 else end + 1)
        elif name := match.group("close"):
            piece = Piece("close", match.start(), match.end(), name.lower(), outlook=outlook)
        else:
            piece = _open(text, match, outlook)
        yield piece
        position = piece.end
        if piece.kind == "open" and piece.name in raw_text and not piece.self_closing:
            closer = re.compile(rf"</{re.escape(piece.name)}", re.I).search(text, position)
            end = closer.start() if closer else len(text)
            if end > position:
                yield Piece("raw", position, end, piece.name, outlook=outlook)
            position = end
    if position < len(text):
        yield Piece("text", position, len(text), outlook=outlook)


def _comment(text: str, start: int, outlook: bool) -> Piece:
    if condition := _IF.match(text, start + 4):
        return Piece("condition", start, condition.end(), outlook=not condition.group("shown"))
    if text.startswith("<!--<![endif]-->", start):
        return Piece("end_condition", start, start + 16)
    if empty := _EMPTY_COMMENT.match(text, start):
        return Piece("comment", start, empty.end(), outlook=outlook)
    end = _COMMENT_END.search(text, start + 4)
    return Piece("comment", start, end.end() if end else len(text), outlook=outlook)


def _open(text: str, match: "re.Match[str]", outlook: bool) -> Piece:
    position = match.end()
    attributes: list[Attribute] = []
    name = match.group("open").lower()
    while True:
        if end := _TAG_END.match(text, position):
            return Piece("open", match.start(), end.end(), name, attributes, bool(end.group(1)), outlook)
        found = _ATTRIBUTE.match(text, position)
        if not found or found.end() == position:
            return Piece("unclosed", match.start(), len(text), name, attributes, outlook=outlook)
        raw = found.group("value")
        quoted = raw is not None and raw[:1] in ("'", '"')
        if raw is None:
            span = (found.end(), found.end())
        elif quoted:
            closed = len(raw) > 1 and raw[-1] == raw[0]
            span = (found.start("value") + 1, found.end("value") - (1 if closed else 0))
        else:
            span = (found.start("value"), found.end("value"))
        attributes.append(Attribute(found.group("name").lower(), text[span[0] : span[1]], quoted or raw is None, *span))
        position = found.end()


def rewrite(text: str, changes: list[tuple[int, int, str]]) -> str:
    """The text with spans replaced; spans do not overlap."""
    out = []
    position = 0
    for start, end, replacement in sorted(changes):
        out.append(text[position:start])
        out.append(replacement)
        position = end
    out.append(text[position:])
    return "".join(out)


def folded(text: str, width: int = 250) -> str:
    """The same markup with line ends where they mean nothing, so that no line needs an encoding (998 octets, RFC 5321).

    Breaks go between a tag's name and its first attribute and at spaces in text; values filled in later have room to
    spare.
    """
    changes: list[tuple[int, int, str]] = []
    line = 0
    preformatted = 0
    for piece in pieces(text):
        if piece.name == "pre" and piece.kind in ("open", "close"):
            preformatted += 1 if piece.kind == "open" else -1
        if piece.kind == "open" and piece.attributes and piece.end - line > width:
            line = piece.start + 1 + len(piece.name)
            changes.append((line, line + (text[line] == " "), "\n"))
        elif piece.kind == "text" and preformatted <= 0:
            while piece.end - line > width:
                place = text.find(" ", max(line + width, piece.start), piece.end)
                if place < 0:
                    break
                changes.append((place, place + 1, "\n"))
                line = place
        line = max(line, text.rfind("\n", piece.start, piece.end))
    return rewrite(text, changes)
