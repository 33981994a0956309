"""Pure: a strict registry of parts, filled by scanning one folder, then frozen."""

import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Generic, TypeVar, cast

P = TypeVar("P")
C = TypeVar("C")


class UnknownPart(LookupError):
    """No part of this kind has that key; the message names the known ones."""


class DoublePart(ValueError):
    """Two parts claim one key, or a part's key is not its file name."""


class Registry(Generic[P]):
    """The parts of one kind, by key; `package` is the folder that holds one part per file.

    The folder and the entry points of the same name are read on first use, so a part never has to be
    listed anywhere. Other people's parts come through entry points and meet the same conformance suite. `announced` are
    keys that the public formats name and no part serves yet: who uses one has made no typing mistake.
    """

    def __init__(self, kind: str, *, package: str | None = None, announced: Collection[str] = ()) -> None:
        self.kind = kind
        self.package = package
        self.announced = frozenset(announced)
        self._parts: dict[str, P] = {}
        self._frozen = False
        self._loading = False

    def register(self, key: str) -> Callable[[type[C]], type[C]]:
        """Class decorator: register one instance of the class under `key`, which must equal the file name."""

        def decorate(part_class: type[C]) -> type[C]:
            module = part_class.__module__
            own = self.package is not None and module.startswith(self.package + ".")
            if own and module.rpartition(".")[2] != key:
                raise DoublePart(f"{self.kind} {key!r} must live in {key}.py, not in {module}")
            self.add(key, cast(P, part_class()))
            return part_class

        return decorate

    def add(self, key: str, part: P) -> None:
        """Register `part`; raises DoublePart for a key that is taken or after the registry was frozen."""
        if self._frozen:
            raise DoublePart(f"{self.kind} {key!r} comes too late: the registry is frozen")
        if key in self._parts:
            raise DoublePart(f"{self.kind} {key!r} is registered twice")
        self._parts[key] = part

    def get(self, key: str) -> P:
        """The part with that key; raises UnknownPart, which lists the known keys."""
        self._load()
        try:
            return self._parts[key]
        except KeyError:
            known = ", ".join(sorted(self._parts)) or "none"
            raise UnknownPart(f"{self.refusal(key)}; known: {known}") from None

    def refusal(self, key: str) -> str:
        """What is wrong with a key that no part has."""
        if key in self.announced:
            return f"{self.kind} {key!r} is not available yet"
        return f"unknown {self.kind} {key!r}"

    def __contains__(self, key: object) -> bool:
        self._load()
        return key in self._parts

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._parts))

    def items(self) -> list[tuple[str, P]]:
        """All parts as (key, part), by key."""
        self._load()
        return sorted(self._parts.items())

    @contextmanager
    def temporary(self, key: str, part: P) -> Iterator[P]:
        """For tests: register `part` for the length of a `with` block."""
        self._load()
        if key in self._parts:
            raise DoublePart(f"{self.kind} {key!r} is registered twice")
        self._parts[key] = part
        try:
            yield part
        finally:
            del self._parts[key]

    def _load(self) -> None:
        if self._frozen or self._loading:
            return
        self._loading = True
        try:
            if self.package:
                folder = importlib.import_module(self.package)
                for module in pkgutil.iter_modules(folder.__path__):
                    importlib.import_module(f"{self.package}.{module.name}")
                for entry in entry_points(group=self.package):
                    entry.load()
        finally:
            self._loading = False
        self._frozen = True
