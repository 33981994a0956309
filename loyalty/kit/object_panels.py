"""What packages add to the page of another package's object: who sends, which flows use a goal, who clicked a message.

The page belongs to the package of the model, which knows none of those above it; a `panels.py` (loaded at start) there
registers functions with `@object_panel`. Panels of customers are in `panels.py` beside this file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string

from loyalty.kit.panels import Drawn, Panel

MakePanel = Callable[[HttpRequest, Any], Panel | None]


@dataclass(frozen=True, slots=True)
class _Registered:
    order: int
    name: str
    permission: str
    make: MakePanel


_panels: dict[str, dict[str, _Registered]] = {}


def object_panel(model: str, order: int, *, permission: str) -> Callable[[MakePanel], MakePanel]:
    """Decorator: show the function's panel on the page of a `model` ("channels.sender"), lower orders first, to users
    with `permission`.

    The function gets `(request, obj)`, asks a fixed number of queries, and answers None for no panel. Raises ValueError
    when it is registered twice.
    """

    def decorate(make: MakePanel) -> MakePanel:
        name = f"{make.__module__}.{make.__name__}"
        known = _panels.setdefault(model, {})
        if name in known:
            raise ValueError(f"panel {name} is registered twice")
        known[name] = _Registered(order, name, permission, make)
        return make

    return decorate


def object_panels(request: HttpRequest, obj: Any) -> list[Drawn]:
    """All panels that this user may see of this object."""
    drawn = []
    for item in sorted(_panels.get(obj._meta.label_lower, {}).values(), key=lambda item: (item.order, item.name)):
        panel = item.make(request, obj) if request.user.has_perm(item.permission) else None
        if panel:
            drawn.append(Drawn(render_to_string(panel.template, panel.context, request), panel.wide))
    return drawn
