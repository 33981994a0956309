"""Pure: MJML to HTML, once per template version, with mistakes told by line.

mrml drops unknown elements in silence and stops at the first broken one without saying where, so elements, their
nesting and their ends are checked here first. Jinja statements may stand wherever an element may: they travel as
`mj-raw` comments.
"""

import difflib

import mrml

from campaigns.content.markup import RAW_MJML, VOID, Piece, pieces, rewrite
from campaigns.content.protect import EXPRESSION, STATEMENT, Protected
from loyalty.kit.problems import Problem, Problems

DEPTH_MAX = 100
PROBLEMS_MAX = 100
_COLUMN = frozenset(
    {
        "mj-accordion",
        "mj-button",
        "mj-carousel",
        "mj-divider",
        "mj-image",
        "mj-navbar",
        "mj-raw",
        "mj-social",
        "mj-spacer",
        "mj-table",
        "mj-text",
    }
)
_HEAD = frozenset({"mj-attributes", "mj-breakpoint", "mj-font", "mj-preview", "mj-raw", "mj-style", "mj-title"})
# What may stand directly in each element that holds elements.
CHILDREN: dict[str, frozenset[str]] = {
    "": frozenset({"mjml"}),
    "mjml": frozenset({"mj-head", "mj-body"}),
    "mj-head": _HEAD,
    "mj-body": frozenset({"mj-section", "mj-wrapper", "mj-hero", "mj-raw"}),
    "mj-wrapper": frozenset({"mj-section", "mj-hero", "mj-raw"}),
    "mj-section": frozenset({"mj-column", "mj-group", "mj-raw"}),
    "mj-group": frozenset({"mj-column", "mj-raw"}),
    "mj-column": _COLUMN,
    "mj-hero": _COLUMN,
    "mj-accordion": frozenset({"mj-accordion-element"}),
    "mj-accordion-element": frozenset({"mj-accordion-title", "mj-accordion-text"}),
    "mj-carousel": frozenset({"mj-carousel-image"}),
    "mj-navbar": frozenset({"mj-navbar-link"}),
    "mj-social": frozenset({"mj-social-element"}),
}
# Elements that hold text and HTML.
CONTENT = frozenset(
    {
        "mj-text", "mj-button", "mj-table", "mj-raw", "mj-title", "mj-preview", "mj-style", "mj-navbar-link",
        "mj-social-element",
        "mj-accordion-title", "mj-accordion-text",
    }
)  # fmt: skip
KNOWN = frozenset({name for names in CHILDREN.values() for name in names})
_EMPTY = frozenset({"mj-image", "mj-divider", "mj-spacer", "mj-carousel-image", "mj-breakpoint", "mj-font"})


def is_mjml(body: str) -> bool:
    """Whether a body is MJML: its first element says so."""
    return next((piece.name for piece in pieces(body[:20_000]) if piece.kind == "open"), "") == "mjml"


def check(protected: Protected, *, where: str) -> tuple[str, list[Problem]]:
    """The MJML ready for `to_html`, and every mistake in it."""
    found = _Check(protected, where)
    return found.run(), found.problems


def to_html(prepared: str, *, where: str, language: str) -> str:
    """The HTML of MJML that `check` prepared; raises Problems."""
    options = mrml.ParserOptions(include_loader=mrml.noop_loader())
    try:
        # Without fonts nothing is loaded from other people's servers when a mail is opened.
        output = mrml.to_html(prepared, options, mrml.RenderOptions(disable_comments=False, fonts={}))
    except OSError as error:
        text = str(error).replace(" in root template", "")
        raise Problems(
            [Problem(where, f"is not valid MJML: {text[:200]}", "close every element and quote every attribute")]
        ) from None
    return output.content.replace('lang="und"', f'lang="{language}"')


class _Check:
    """Walks the MJML once: finds mistakes and puts Jinja statements between elements into `mj-raw`."""

    def __init__(self, protected: Protected, where: str) -> None:
        self.protected = protected
        self.where = where
        self.problems: list[Problem] = []
        self.stack: list[str] = []
        self.changes: list[tuple[int, int, str]] = []

    def refuse(self, piece: Piece, problem: str, remedy: str) -> None:
        line = self.protected.line(self.protected.text, piece.start)
        self.problems.append(Problem(f"{self.where} line {line}", problem, remedy))

    def run(self) -> str:
        text = self.protected.text
        seen_body = False
        for piece in pieces(text, mjml=True):
            if piece.kind == "open":
                seen_body = seen_body or piece.name == "mj-body"
                self.opened(piece)
            elif piece.kind == "close":
                self.closed(piece)
            elif piece.kind == "text":
                self.text(piece, text[piece.start : piece.end])
            elif piece.kind == "unclosed":
                self.refuse(piece, f"<{piece.name}> is never finished", "close the tag with > and every quote")
            if len(self.problems) >= PROBLEMS_MAX:
                return text
            if len(self.stack) > DEPTH_MAX:
                self.refuse(piece, f"is nested more than {DEPTH_MAX} levels deep", "flatten the layout")
                return text
        for name in self.stack:
            self.problems.append(Problem(self.where, f"<{name}> is never closed", f"add </{name}>"))
        if not seen_body and not self.problems:
            self.problems.append(
                Problem(self.where, "has no <mj-body>", "put the content into <mjml><mj-body>...</mj-body></mjml>")
            )
        return rewrite(text, self.changes)

    def opened(self, piece: Piece) -> None:
        name = piece.name
        parent = self.stack[-1] if self.stack else ""
        self.attributes(piece)
        if name == "mj-include":
            self.refuse(piece, "includes another file, which templates may not", "put its text here")
        elif "mj-attributes" in self.stack:
            pass
        elif name.startswith("mj-") or name == "mjml":
            if name not in KNOWN:
                close = difflib.get_close_matches(name, sorted(KNOWN), n=1)
                self.refuse(
                    piece, f"<{name}> is no MJML element", f"did you mean <{close[0]}>?" if close else "remove it"
                )
            elif parent in CHILDREN and name not in CHILDREN[parent]:
                allowed = ", ".join(f"<{child}>" for child in sorted(CHILDREN[parent]))
                inside = f"in <{parent}>" if parent else "at the top"
                self.refuse(piece, f"<{name}> may not stand {inside}", f"allowed there: {allowed}")
            elif parent in CONTENT or (parent and parent not in CHILDREN):
                self.refuse(piece, f"<{name}> may not stand in <{parent}>", f"close <{parent}> first")
        elif parent in CHILDREN:
            inside = f"directly in <{parent}>" if parent else "around the MJML"
            self.refuse(piece, f"the HTML element <{name}> may not stand {inside}", "put it into <mj-text> or <mj-raw>")
        if not piece.self_closing and name not in VOID:
            self.stack.append(name)

    def attributes(self, piece: Piece) -> None:
        for attribute in piece.attributes:
            if not attribute.quoted:
                self.refuse(piece, f"the value of {attribute.name} is not quoted", f'write {attribute.name}="..."')

    def closed(self, piece: Piece) -> None:
        name = piece.name
        if name in VOID:
            return
        if self.stack and self.stack[-1] == name:
            self.stack.pop()
            return
        if name in self.stack:
            while self.stack[-1] != name:
                left = self.stack.pop()
                self.refuse(piece, f"<{left}> is not closed before </{name}>", f"add </{left}>")
            self.stack.pop()
        else:
            self.refuse(piece, f"</{name}> closes nothing", "remove it or open the element before")

    def text(self, piece: Piece, text: str) -> None:
        parent = self.stack[-1] if self.stack else ""
        between = parent in CHILDREN or parent in _EMPTY
        if between and self.protected.word.sub("", text).strip():
            inside = f"directly in <{parent}>" if parent else "around the MJML"
            self.refuse(piece, f"text stands {inside}, where it would be lost", "put it into <mj-text>")
            return
        for match in self.protected.word.finditer(text):
            tag = self.protected.tags[int(match.group(1))]
            if between and tag.kind == EXPRESSION:
                self.refuse(piece, f"{tag.text[:60]} stands between elements", "put it into <mj-text>")
            elif between and "mj-raw" not in CHILDREN.get(parent, ()):
                around = f"<{parent}>" if parent else "the text in <mj-body>"
                self.refuse(piece, f"{tag.text[:60]} may not stand there", f"put it around the whole of {around}")
            elif tag.kind == STATEMENT and parent not in RAW_MJML:
                word = f"<!--{match.group()}-->"
                change = f"<mj-raw>{word}</mj-raw>" if between else word
                self.changes.append((piece.start + match.start(), piece.start + match.end(), change))
