"""What packages show on the page of a customer: each adds panels of its own, and the page knows none of them.

A package's `panels.py` (loaded at start) or `admin.py` registers functions with `@customer_panel`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: a template that draws its `<section class="panel">`, and the template's context."""

    template: str
    context: dict[str, Any] = field(default_factory=dict)


class CustomerPanel(Protocol):
    def __call__(self, request: HttpRequest, customer_id: int) -> Panel | None: ...


@dataclass(frozen=True, slots=True)
class _Registered:
    order: int
    name: str
    permission: str
    make: CustomerPanel


_panels: dict[str, _Registered] = {}


def customer_panel(order: int, *, permission: str) -> Callable[[CustomerPanel], CustomerPanel]:
    """Decorator: show the function's panel to users with `permission` ("segments.view_segment"), lower orders first.

    The function gets `(request, customer_id)`, asks a fixed number of queries, and answers None for no panel. Raises
    ValueError when it is registered twice.
    """

    def decorate(make: CustomerPanel) -> CustomerPanel:
        name = f"{make.__module__}.{make.__name__}"  # type: ignore[attr-defined]
        if name in _panels:
            raise ValueError(f"panel {name} is registered twice")
        _panels[name] = _Registered(order, name, permission, make)
        return make

    return decorate


def customer_panels(request: HttpRequest, customer_id: int) -> list[Panel]:
    """All panels that this user may see of this customer."""
    made = [
        item.make(request, customer_id)
        for item in sorted(_panels.values(), key=lambda item: (item.order, item.name))
        if request.user.has_perm(item.permission)
    ]
    return [panel for panel in made if panel is not None]
