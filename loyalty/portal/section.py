"""What a section of the portal is: one file in `sections/` shows one feature of the program, where there is any.

A section whose feature has nothing for this program says so by `available`, and is then neither named nor served.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from loyalty.kit.registry import Registry
from loyalty.portal.visit import Visitor


class Refused(Exception):
    """What a button asked for cannot be done; the text is a sentence for the member."""


@dataclass(frozen=True, slots=True)
class Tile:
    """What the first page says of a section: a sentence, a number that stands out, and how far something is
    (0 to 100)."""

    text: str
    figure: str = ""
    percent: int | None = None


class Section(Protocol):
    """`rank` orders sections; `icon` names a picture of `portal/icons.html`; the template is `portal/<key>.html`.

    `after_leaving`: its buttons work for who has left too, until the points have run off.
    """

    rank: int
    icon: str
    after_leaving: bool

    def title(self) -> str:
        """Its name, in one word if possible."""
        ...

    def available(self, visitor: Visitor) -> bool:
        """Whether there is anything to show in this program; asked for every page, so at the cost of one probe."""
        ...

    def tile(self, visitor: Visitor) -> Tile | None:
        """What the first page says; None for nothing."""
        ...

    def page(self, visitor: Visitor, query: Mapping[str, str]) -> dict[str, Any]:
        """What the template needs."""
        ...

    def act(self, visitor: Visitor, data: Mapping[str, str]) -> str:
        """Do what a button of the page asked for; what was done as a sentence. Raises Refused or Problems."""
        ...


@runtime_checkable
class Receiver(Protocol):
    """A section whose buttons may bring files."""

    def upload(self, visitor: Visitor, data: Mapping[str, str], files: Mapping[str, Any]) -> str:
        """As `act`, with the uploaded files by field."""
        ...


sections: Registry[Section] = Registry("portal section", package="loyalty.portal.sections")


def shown(visitor: Visitor) -> list[tuple[str, Section]]:
    """The sections that have something to show, in order."""
    found = [(key, section) for key, section in sections.items() if section.available(visitor)]
    return sorted(found, key=lambda item: item[1].rank)
