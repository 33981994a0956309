"""Every address of the admin, as the URLs have it: strangers come to the login, staff without permissions nowhere."""

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

pytestmark = pytest.mark.django_db

# For everybody who may enter: the first page, one's own password, leaving, words for scripts, the theme's search.
OPEN = {"", "login/", "logout/", "password_change/", "password_change/done/", "jsi18n/", "autocomplete/", "search/"}
# What stands for a parameter; objects with such keys are not there, and who may nothing is not told so.
VALUES = {"int": "1", "uuid": "00000000-0000-0000-0000-000000000001", "slug": "x", "str": "1", "path": "1"}


def addresses(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    """Routes below the admin, with something in place of each parameter."""
    for one in patterns:
        route = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from addresses(one.url_patterns, route)
        elif "(?P" not in route:
            yield re.sub(r"<(?:(\w+):)?\w+>", lambda found: VALUES[found[1] or "str"], route)


def admin_addresses() -> list[str]:
    roots = [one for one in get_resolver().url_patterns if isinstance(one, URLResolver) and one.app_name == "admin"]
    return sorted(set(addresses(roots[0].url_patterns)) - OPEN)


def test_the_walk_finds_pages_of_every_package() -> None:
    found = admin_addresses()
    assert len(found) > 400
    for start in ("subscriptions/", "membership/", "counter/", "rewards/", "offers/", "play/", "partners/", "flows/"):
        assert any(one.startswith(start) for one in found), start


def test_strangers_come_to_the_login(client: Client) -> None:
    for one in admin_addresses():
        answer = client.get(f"/admin/{one}")
        assert answer.status_code == 302 and answer["Location"].startswith("/admin/login/"), one


def test_staff_without_permissions_sees_and_does_nothing(client: Client) -> None:
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    seen = {}
    for one in admin_addresses():
        for method in (client.get, client.post):
            answer = method(f"/admin/{one}")
            # What the framework does with keys that nobody has: back to the first page, as if it were nothing.
            lost = answer.status_code == 302 and answer["Location"] in ("/admin/", f"/admin/{one}change/", "../")
            if answer.status_code not in (403, 404, 405) and not lost:
                seen[f"{method.__name__} {one}"] = answer.status_code
    assert seen == {}


def test_who_may_look_at_everything_changes_nothing(client: Client) -> None:
    looker = User.objects.create_user("looker", is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(looker)
    done = {}
    for one in admin_addresses():
        if re.search(r"/(add|delete)/$", one):
            answer = client.post(f"/admin/{one}")
            if answer.status_code not in (403, 404, 405) and answer.headers.get("Location") != "/admin/":
                done[one] = answer.status_code
    assert done == {}
