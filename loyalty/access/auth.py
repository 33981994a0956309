"""Bearer keys for the HTTP API: `@router.post("events/batch", auth=ApiAuth("events:write"))`."""

import hmac
from datetime import timedelta

from django.http import HttpRequest
from ninja.security import HttpBearer

from loyalty.access.models import SCOPES, ApiKey
from loyalty.access.operations import PREFIX_LENGTH, digest
from loyalty.kit import clock
from loyalty.kit.errors import ApiError

# `last_used_at` is for spotting dead keys; writing it on each call would make one hot row of each key.
USE_NOTED_EVERY = timedelta(minutes=10)


class ApiAuth(HttpBearer):
    """Lets requests through whose key is live and has the scope; answers 401 and 403 otherwise.

    The key is then at `request.auth`.
    """

    def __init__(self, scope: str) -> None:
        if scope not in SCOPES:
            raise ValueError(f"unknown scope {scope!r}; known: {', '.join(SCOPES)}")
        self.scope = scope
        super().__init__()

    def authenticate(self, request: HttpRequest, token: str) -> ApiKey | None:
        """The key, None for one that is unknown, expired or revoked; raises ApiError without the scope."""
        now = clock.now()
        key = (
            ApiKey.objects.filter(prefix=token[:PREFIX_LENGTH]).first()
            if token.isascii() and "\0" not in token
            else None
        )
        if key is None or not hmac.compare_digest(bytes(key.digest), digest(token)):
            return None
        if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
            return None
        if self.scope not in key.scopes and "*" not in key.scopes:
            raise ApiError(403, f"This key lacks the scope {self.scope}.")
        if key.last_used_at is None or now - key.last_used_at >= USE_NOTED_EVERY:
            ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
        return key
