"""What packages show on the page of a customer: each adds panels of its own, and the page knows none of them.

A package's `panels.py` (loaded at start) or `admin.py` registers functions with `@customer_panel`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.http import HttpRequest
from django.template.loader import render_to_string


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: a template that draws its `<section class="panel">`, and the template's context.

    Panels stand side by side where there is room; a `wide` one takes the whole width.
    """

    template: str
    context: dict[str, Any] = field(default_factory=dict)
    wide: bool = False


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


@dataclass(frozen=True, slots=True)
class Drawn:
    """A panel as HTML."""

    html: str
    wide: bool


def customer_panels(request: HttpRequest, customer_id: int) -> list[Drawn]:
    """All panels that this user may see of this customer."""
    drawn = []
    for item in sorted(_panels.values(), key=lambda item: (item.order, item.name)):
        panel = item.make(request, customer_id) if request.user.has_perm(item.permission) else None
        if panel:
            drawn.append(Drawn(render_to_string(panel.template, panel.context, request), panel.wide))
    return drawn
