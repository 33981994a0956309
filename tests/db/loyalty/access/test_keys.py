"""API keys: shown once, kept as a hash, scoped, ended; and the headers that pages carry."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.http import HttpResponse
from django.test import Client, RequestFactory

from loyalty.access import policy
from loyalty.access.auth import ApiAuth
from loyalty.access.models import ApiKey
from loyalty.access.operations import create_api_key, revoke_api_key
from loyalty.kit import clock
from loyalty.kit.problems import Problems

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def status(secret: str | None, path: str = "customers/nobody") -> tuple[int, str]:
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    response = Client().get(f"/api/v1/{path}", headers=headers)
    return response.status_code, response.json()["error"]["code"]


@pytest.mark.django_db
def test_a_key_is_printed_once_and_only_its_hash_is_kept() -> None:
    out, note = StringIO(), StringIO()
    call_command("create_api_key", "shop", "--scopes", "customers:read", "events:write", stdout=out, stderr=note)
    secret = out.getvalue().strip()
    key = ApiKey.objects.get()
    assert (key.name, key.scopes, key.prefix) == ("shop", ["customers:read", "events:write"], secret[:12])
    assert secret not in str(ApiKey.objects.values())
    assert len(bytes(key.digest)) == 32
    assert status(secret) == (404, "not_found")
    key.refresh_from_db()
    assert key.last_used_at is not None


@pytest.mark.django_db
def test_who_has_no_live_key_gets_401_and_who_lacks_the_scope_403() -> None:
    now = clock.now()
    reader = create_api_key(name="reader", scopes=["events:read"], now=now).secret
    master = create_api_key(name="master", scopes=["*"], now=now).secret
    old = create_api_key(name="old", scopes=["*"], now=now - timedelta(days=2), lifetime=timedelta(days=1)).secret
    assert status(None) == (401, "unauthorized")
    assert status("nonsense") == (401, "unauthorized")
    assert status(master[:-1] + ("A" if master[-1] != "A" else "B")) == (401, "unauthorized")
    assert status("lc_\0") == (401, "unauthorized")
    assert status(old) == (401, "unauthorized")
    assert status(reader) == (403, "forbidden")
    assert status(master) == (404, "not_found")
    assert revoke_api_key(prefix=master[:12], now=now)
    assert status(master) == (401, "unauthorized")
    assert not revoke_api_key(prefix=master[:12], now=now)


@pytest.mark.django_db
def test_two_keys_of_a_name_may_live_while_a_caller_changes_over() -> None:
    first = create_api_key(name="shop", scopes=["*"], now=NOW)
    create_api_key(name="shop", scopes=["*"], now=NOW)
    with pytest.raises(Problems, match="has 2 live keys"):
        create_api_key(name="shop", scopes=["*"], now=NOW)
    revoke_api_key(prefix=first.secret[:12], now=NOW)
    create_api_key(name="shop", scopes=["*"], now=NOW)


@pytest.mark.django_db
def test_all_mistakes_in_a_key_are_told() -> None:
    with pytest.raises(Problems) as refusal:
        create_api_key(name=" ", scopes=["customers:read", "moon:write", "sun"], now=NOW)
    assert [problem.where for problem in refusal.value.problems] == ["scopes[1]", "scopes[2]", "name"]
    with pytest.raises(CommandError, match="unknown scope 'moon'"):
        call_command("create_api_key", "x", "--scopes", "moon")
    with pytest.raises(ValueError, match="unknown scope"):
        ApiAuth("moon:write")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/admin/", policy.ADMIN),
        ("/api/v1/docs", policy.DOCS),
        ("/u/token", policy.STRICT),
        ("/administration", policy.STRICT),
    ],
)
def test_every_page_has_its_policy(path: str, expected: str) -> None:
    response = policy.ContentSecurityPolicy(lambda _: HttpResponse())(RequestFactory().get(path))
    assert response["Content-Security-Policy"] == expected


def test_pages_behind_links_in_messages_are_neither_indexed_nor_passed_on() -> None:
    answer = policy.ContentSecurityPolicy(lambda _: HttpResponse())
    for path in ("/t/c/x", "/u/x", "/p/x"):
        response = answer(RequestFactory().get(path))
        assert (response["Referrer-Policy"], response["X-Robots-Tag"]) == ("no-referrer", "noindex, nofollow")
    assert "X-Robots-Tag" not in answer(RequestFactory().get("/admin/"))


def test_a_view_may_set_a_policy_of_its_own() -> None:
    own = HttpResponse(headers={"Content-Security-Policy": "sandbox"})
    response = policy.ContentSecurityPolicy(lambda _: own)(RequestFactory().get("/admin/mail/1"))
    assert response["Content-Security-Policy"] == "sandbox"
