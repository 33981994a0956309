"""Pure: where in the markup a value may stand, and what a mail may contain.

Autoescape protects text and quoted attributes only. So values are refused inside tags, unquoted attributes, scripts,
styles and event handlers, and active content is refused altogether: a mail that needs it is no mail.
"""

import html
import re

from campaigns.content.markup import VOID, Piece, pieces
from campaigns.content.protect import EXPRESSION, STATEMENT, Protected
from loyalty.kit.problems import Problem

DEPTH_MAX = 300
PROBLEMS_MAX = 100
# Style characters times elements: what inlining may have to do. A usual mail has up to 2 million; 15 million
# cost 5 s, 2 billion (possible in 200,000 characters) did not end in ten minutes.
STYLING_MAX = 5_000_000
# An MJML element becomes about this many HTML elements.
EXPANSION = 8
ACTIVE = frozenset(
    {"script", "iframe", "frame", "frameset", "object", "embed", "applet", "base", "form", "input", "button",
    "textarea", "select",
     "portal", "link", "svg", "math", "template", "noscript", "video", "audio"}
)  # fmt: skip
ADDRESSES = frozenset(
    {"href", "src", "background", "action", "poster", "xlink:href", "formaction", "cite", "longdesc", "data"}
)
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_SAFE_SCHEMES = frozenset({"http", "https", "mailto", "tel", "sms", "cid"})
_NUMBERS_ONLY = re.compile(r"\|\s*(?:int|round|length|count)\s*(?:\([^()]*\))?$")
_CSS_ACTIVE = re.compile(r"expression\s*\(|javascript:|vbscript:|-moz-binding|behavior\s*:|@import", re.I)


def check(protected: Protected, text: str, *, where: str, mjml: bool = False) -> list[Problem]:
    """Every misplaced value and active element in a source whose Jinja tags are words."""
    return _Check(protected, text, where, lines=True, mjml=mjml).run()


def check_result(protected: Protected, text: str, *, where: str) -> list[Problem]:
    """The same for the HTML that was made of a source; it has no lines to tell."""
    return _Check(protected, text, where, lines=False, mjml=False).run()


class _Check:
    def __init__(self, protected: Protected, text: str, where: str, *, lines: bool, mjml: bool) -> None:
        self.mjml = mjml
        self.protected = protected
        self.text = text
        self.where = where
        self.lines = lines
        self.problems: list[Problem] = []

    def refuse(self, piece: Piece, problem: str, remedy: str) -> None:
        place = self.where
        if self.lines:
            place += f" line {self.protected.line(self.text, piece.start)}"
        self.problems.append(Problem(place, problem, remedy))

    def run(self) -> list[Problem]:
        depth = elements = styles = 0
        head: int | None = None
        for piece in pieces(self.text, mjml=self.mjml):
            elements += piece.kind == "open"
            if piece.name == "mj-head" and piece.kind == "open":
                head = piece.start
            elif piece.name == "mj-head" and piece.kind == "close" and head is not None:
                styles, head = styles + piece.end - head, None
            elif piece.kind == "raw" and piece.name == "style":
                styles += piece.end - piece.start
            inside = self.text[piece.start : piece.end]
            if piece.kind == "open":
                self.opened(piece)
                depth += piece.name not in VOID and not piece.self_closing
            elif piece.kind == "close":
                depth -= 1
                if self.protected.word.search(piece.name):
                    self.refuse(piece, "a value stands in the name of a tag", "write the tag out")
            elif piece.kind == "unclosed":
                self.refuse(piece, f"<{piece.name[:30]}> is never finished", "close the tag with > and every quote")
            elif piece.kind == "raw":
                self.raw(piece, inside)
            elif piece.kind == "comment":
                self.comment(piece, inside)
            elif piece.kind in ("declaration", "condition", "end_condition") and self.protected.word.search(inside):
                self.refuse(piece, "a value stands in a declaration", "move it into the text")
            if depth > DEPTH_MAX:
                self.refuse(
                    piece, f"is nested more than {DEPTH_MAX} levels deep", "close the elements that are left open"
                )
                break
            if len(self.problems) >= PROBLEMS_MAX:
                break
        if head is not None:
            styles += len(self.text) - head
        if self.lines and styles * elements * (EXPANSION if self.mjml else 1) > STYLING_MAX:
            self.problems.append(
                Problem(
                    self.where, "has too many style rules for so many elements", "use fewer rules or style attributes"
                )
            )
        return list(dict.fromkeys(self.problems))

    def raw(self, piece: Piece, inside: str) -> None:
        if piece.name in ("style", "mj-style"):
            if self.protected.word.search(inside):
                self.refuse(piece, "a value stands in a style sheet", 'use a style="..." attribute')
            elif _CSS_ACTIVE.search(inside):
                self.refuse(piece, "the style sheet loads or runs something", "write the rules out")

        elif not self._whole(inside):
            self.refuse(piece, f"a condition starts or ends inside <{piece.name}>", "put it around the whole element")

    def comment(self, piece: Piece, inside: str) -> None:
        own = not self.lines and self.protected.word.fullmatch(inside[4:-3])
        if not own and self.protected.word.search(inside):
            self.refuse(piece, "Jinja stands in an HTML comment", "comment out with {# and #}")

    def _whole(self, text: str) -> bool:
        """Whether every condition and loop that starts here ends here.

        Otherwise leaving a branch out would leave a quote out, and what was checked as a value would be sent as markup.
        """
        depth = 0
        for tag in self.protected.found(text):
            word = tag.inside.split(None, 1)[0] if tag.kind == STATEMENT and tag.inside else ""
            if word in ("if", "for"):
                depth += 1
            elif word.startswith("end"):
                depth -= 1
            elif word in ("elif", "else") and not depth:
                return False
            if depth < 0:
                return False
        return depth == 0

    def opened(self, piece: Piece) -> None:
        if self.protected.word.search(piece.name):
            self.refuse(piece, "a value stands in the name of a tag", "write the tag out")
        elif piece.name in ACTIVE and (self.lines or not piece.outlook):  # mrml writes a <noscript> for Outlook
            self.refuse(piece, f"<{piece.name}> is not for mails: it is active content", "link to a page instead")
        for attribute in piece.attributes:
            name, value = attribute.name, attribute.value
            found = self.protected.found(value)
            if self.protected.word.search(name):
                self.refuse(
                    piece,
                    f"a value stands in <{piece.name[:30]}> outside of an attribute's quotes",
                    'write attribute="{{ value }}"',
                )
            elif found and not attribute.quoted:
                self.refuse(piece, f"the value of {name} is not quoted", f'write {name}="..."')
            elif not self._whole(value):
                self.refuse(
                    piece, f"a condition starts or ends inside the quotes of {name}", "close it before the quotes end"
                )
            elif name.startswith("on"):
                self.refuse(piece, f"{name} is a script, which mails may not hold", "remove it")
            elif name in ("srcdoc", "http-equiv") and (
                found or name == "srcdoc" or value.lower() not in ("content-type", "x-ua-compatible")
            ):
                self.refuse(piece, f"{name} is active content, which mails may not hold", "remove it")
            elif name == "style":
                self.style(piece, value)
            elif name == "srcset" and found:
                self.refuse(piece, "a value stands in srcset", "use src")
            elif name in ADDRESSES:
                self.address(piece, name, value)

    def style(self, piece: Piece, value: str) -> None:
        for tag in self.protected.found(value):
            if tag.kind == EXPRESSION and not _NUMBERS_ONLY.search(tag.inside):
                self.refuse(piece, f"{tag.text[:60]} stands in a style", "only numbers may: add | int or | round")
        if _CSS_ACTIVE.search(html.unescape(value)):
            self.refuse(piece, "the style loads or runs something", "remove it")

    def address(self, piece: Piece, name: str, value: str) -> None:
        literal = re.sub(r"[\x00-\x20]", "", html.unescape(value))
        scheme = _SCHEME.match(literal)
        if scheme and scheme.group(1).lower() not in _SAFE_SCHEMES:
            self.refuse(
                piece, f"{name} leads to {scheme.group(1)[:20]}:", "only http, https, mailto and tel lead anywhere"
            )
        elif literal and not scheme and not literal.startswith("#") and not self.protected.word.match(literal):
            self.refuse(piece, f"{name} is no full address", "start it with https://")
