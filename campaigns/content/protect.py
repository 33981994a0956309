"""Pure: Jinja tags put aside while MJML and HTML tools work on the text around them.

Each tag is replaced by a short word that means nothing in HTML; afterwards the words become the tags again,
untouched. So no parser can move, escape or break a tag, and every step may ask where in the markup a tag stands.
"""

import re
from dataclasses import dataclass

EXPRESSION, STATEMENT, COMMENT = "expression", "statement", "comment"
_KINDS = {"{{": (EXPRESSION, "}}"), "{%": (STATEMENT, "%}"), "{#": (COMMENT, "#}")}
_OPENERS = re.compile(r"\{[{%#]")


@dataclass(frozen=True, slots=True)
class Tag:
    """One Jinja tag: its kind, its text with delimiters, where it starts in the source."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def inside(self) -> str:
        """What stands between the delimiters, without whitespace control."""
        return self.text[2:-2].removeprefix("-").removeprefix("+").removesuffix("-").removesuffix("+").strip()


def tags(source: str) -> list[Tag]:
    """The Jinja tags of a source that Jinja has parsed; an unclosed tag ends the list."""
    found = []
    position = 0
    while match := _OPENERS.search(source, position):
        kind, closer = _KINDS[match.group()]
        end = source.find(closer, match.end()) if kind == COMMENT else _end(source, match.end(), closer)
        if end < 0:
            break
        position = end + 2
        found.append(Tag(kind, source[match.start() : position], match.start(), position))
    return found


def _end(source: str, position: int, closer: str) -> int:
    while position < len(source):
        char = source[position]
        if char in "\"'":
            position += 1
            while position < len(source) and source[position] != char:
                position += 2 if source[position] == "\\" else 1
        elif source.startswith(closer, position):
            return position
        position += 1
    return -1


class Protected:
    """A source whose tags are words. `text` is what the tools see; comments are dropped."""

    def __init__(self, source: str) -> None:
        self.tags: list[Tag] = []
        self.prefix = "jt"
        while re.search(self.prefix + r"\d+q", source):
            self.prefix += "t"
        self.word = re.compile(self.prefix + r"(\d+)q")
        pieces = []
        position = 0
        for tag in tags(source):
            pieces.append(source[position : tag.start])
            position = tag.end
            if tag.kind != COMMENT:
                pieces.append(f"{self.prefix}{len(self.tags)}q")
                self.tags.append(tag)
        pieces.append(source[position:])
        self.text = "".join(pieces)
        self._source = source

    def add(self, text: str) -> str:
        """The word for a further tag that we write ourselves."""
        self.tags.append(Tag(STATEMENT if text.startswith("{%") else EXPRESSION, text, -1, -1))
        return f"{self.prefix}{len(self.tags) - 1}q"

    def found(self, text: str) -> list[Tag]:
        """The tags whose words stand in the text, in order."""
        return [self.tags[int(number)] for number in self.word.findall(text)]

    def split(self, text: str) -> list[str | Tag]:
        """The text as literal pieces and tags, in order; no empty pieces."""
        parts: list[str | Tag] = []
        for index, piece in enumerate(self.word.split(text)):
            if index % 2:
                parts.append(self.tags[int(piece)])
            elif piece:
                parts.append(piece)
        return parts

    def restore(self, text: str) -> str:
        """The text with its tags back; words in an HTML comment of their own replace the comment."""
        text = re.sub(rf"<!--({self.prefix}\d+q)-->", r"\1", text)
        return self.word.sub(lambda match: self.tags[int(match.group(1))].text, text)

    def line(self, text: str, position: int) -> int:
        """The line of the original source where this position of the protected text stood."""
        line = text.count("\n", 0, position) + 1
        for tag in self.found(text[:position]):
            line += tag.text.count("\n")
        return line
