"""The sidebar of the admin: the entries listed in the settings that the user may see."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups of links as the theme wants them; groups without a link for this user are left out.

    Forty entries at once are no help: a group opens by its title, and by itself where the user is in it.
    """
    groups: list[dict[str, Any]] = []
    for title, entries in settings.SIDEBAR:
        items = list(_items(request, entries))
        if items:
            groups.append({"title": title, "items": items})
    return groups


def _items(request: HttpRequest, entries: Iterable[tuple[str, Any, str, str]]) -> Iterable[dict[str, Any]]:
    home = reverse("admin:index")
    for page, title, icon, permission in entries:
        if permission and not request.user.has_perm(permission):
            continue
        link = reverse(page)
        # The theme's own rule lights up every link that stands anywhere in the path.
        active = request.path == link if link == home else request.path.startswith(link)
        yield {"title": title, "icon": icon, "link": link, "active": active}


def environment(request: HttpRequest) -> list[Any] | None:
    """The label beside the title, in the theme's colors: red for production, else orange."""
    label = str(settings.ENVIRONMENT_LABEL)
    return [label, "danger" if label.lower().startswith("prod") else "warning"] if label else None


def styles(request: HttpRequest) -> str:
    """Our own style sheet, on every page of the admin."""
    return static("kit/admin.css")


def scripts(request: HttpRequest) -> str:
    """Our own script, on every page of the admin."""
    return static("kit/admin.js")


def favicon(request: HttpRequest) -> str:
    """The mark in the browser's tab."""
    return static("kit/favicon.svg")
