"""The kinds of objects that people write as text (`apply`, `export`, PUT in the API).

Each package registers a `Kind` for what it owns. `apply` runs them in order of `rank`, inside one transaction, and
tells every mistake of every document at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from loyalty.kit.problems import Problem
from loyalty.kit.registry import Registry


@dataclass(frozen=True, slots=True)
class Change:
    """What applying one document did: `verdict` is created, updated or unchanged; `before`/`after` feed the diff.

    `warnings`: what is allowed, and still better looked at; told with every `apply`, also of a dry run.
    """

    kind: str
    key: str
    verdict: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()


class Kind(Protocol):
    """One kind of document. `rank` orders kinds so that what is referred to comes first.

    `apply` writes the object or raises `Problems`; `declared` names the keys that the same `apply` call brings, by
    kind, so that a reference to a document which failed for its own reasons is not reported a second time.
    `export` yields documents that `apply` would leave unchanged.
    """

    rank: int

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change: ...

    def export(self) -> Iterable[dict[str, Any]]: ...


kinds: Registry[Kind] = Registry("kind", announced=("program", "earning_rule", "tier", "reward", "event_type"))
