"""Pure: the names a template may use, and what stands beneath them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

# None: whatever the event, offer or account carries; the template learns at run time whether it is there.
ROOTS: dict[str, frozenset[str] | None] = {
    "customer": None,
    "event": None,
    "flow": frozenset({"key", "name"}),
    "campaign": frozenset({"key", "name"}),
    "offer": None,
    "voucher": None,
    "points": None,
    "sender": None,
}
# Plain values, always there; `confirm_url` only in messages that ask for a confirmation.
SCALARS = frozenset({"unsubscribe_url", "preferences_url", "confirm_url", "imprint", "now"})
# What a loop knows about itself; everything else of Jinja2's loop object stays out of reach.
LOOP = frozenset({"index", "index0", "first", "last", "length", "revindex", "revindex0"})


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`beneath` maps each object to the keys that are known beneath it, None for any key."""

    beneath: Mapping[str, frozenset[str] | None] = field(default_factory=lambda: dict(ROOTS))

    def knows(self, name: str) -> bool:
        """Whether a template may start an expression with this name."""
        return name in self.beneath or name in SCALARS

    @property
    def names(self) -> list[str]:
        """All names, for "did you mean"."""
        return sorted({*self.beneath, *SCALARS})


def vocabulary(attributes: Collection[str] | None = None) -> Vocabulary:
    """The vocabulary with `customer` limited to these attribute keys; None leaves it open."""
    beneath = dict(ROOTS)
    if attributes is not None:
        beneath["customer"] = frozenset(attributes)
    return Vocabulary(beneath)
