"""Who uses what: before an attribute is deleted, the packages above say which of their objects name it.

A package's `uses.py` (loaded at start) registers functions with `@names("attribute")`; a function gets the key and
answers the objects that name it, by one query.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Use:
    """An object that names the key: what kind of object in words, its own key, and its page in the admin."""

    kind: str
    key: str
    url: str = ""


Finder = Callable[[str], list[Use]]

_finders: dict[str, dict[str, Finder]] = {}


def names(what: str) -> Callable[[Finder], Finder]:
    """Decorator: the function finds objects that name a `what`; raises ValueError when it is registered twice."""

    def decorate(find: Finder) -> Finder:
        known = _finders.setdefault(what, {})
        name = f"{find.__module__}.{find.__name__}"
        if name in known:
            raise ValueError(f"{name} is registered twice")
        known[name] = find
        return find

    return decorate


def uses(what: str, key: str) -> list[Use]:
    """All objects that name the key."""
    return [use for _name, find in sorted(_finders.get(what, {}).items()) for use in find(key)]
