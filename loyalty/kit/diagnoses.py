"""What can be wrong with an installation: each package looks at its own part in `diagnoses.py`, `manage.py doctor` asks
all.

@diagnosis("senders", order=50)
def senders() -> Iterable[Finding]:
    "Every sender reaches its provider."
    yield ok("3 senders")
    yield broken("sender shop does not answer", "check its host and port")
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`level` is ok, warning (works, but not as it should) or broken; `remedy` says how to mend it."""

    level: str
    text: str
    remedy: str = ""


Look = Callable[[], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One part of an installation to look at; lower orders first. After a broken `vital` part the others are
    pointless."""

    key: str
    order: int
    vital: bool
    look: Look


_diagnoses: dict[str, Diagnosis] = {}


def ok(text: str) -> Finding:
    """All is well."""
    return Finding("ok", text)


def warning(text: str, remedy: str) -> Finding:
    """Works, but should be mended."""
    return Finding("warning", text, remedy)


def broken(text: str, remedy: str) -> Finding:
    """Does not work."""
    return Finding("broken", text, remedy)


def diagnosis(key: str, *, order: int, vital: bool = False) -> Callable[[Look], Look]:
    """Decorator: register what looks at one part; raises ValueError for a double key."""

    def decorate(look: Look) -> Look:
        if key in _diagnoses:
            raise ValueError(f"diagnosis {key!r} is registered twice")
        _diagnoses[key] = Diagnosis(key, order, vital, look)
        return look

    return decorate


def diagnoses() -> list[Diagnosis]:
    """All registered looks, in their order."""
    return sorted(_diagnoses.values(), key=lambda item: (item.order, item.key))


def findings(item: Diagnosis) -> list[Finding]:
    """What one look finds; a look that itself fails is a finding, for a doctor must not faint."""
    try:
        return list(item.look())
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        return [broken(f"cannot be examined: {reason}", "mend this first, then run doctor again")]
