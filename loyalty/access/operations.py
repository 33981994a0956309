"""Making and ending API keys."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from loyalty.access.models import SCOPES, ApiKey
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql

PREFIX_LENGTH = 12
# One in use and one to change over to.
LIVE_MAX = 2


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; `secret` is never to be had again."""

    id: int
    secret: str


def digest(secret: str) -> bytes:
    """What is kept of a key: SHA-256, unsalted, for its 256 random bits cannot be guessed."""
    return hashlib.sha256(secret.encode()).digest()


def create_api_key(*, name: str, scopes: Sequence[str], now: datetime, lifetime: timedelta | None = None) -> NewKey:
    """Make a key; raises Problems for unknown scopes or when two keys of this name live already."""
    problems = [
        Problem(f"scopes[{place}]", f"unknown scope {scope!r}", f"known: {', '.join(SCOPES)}")
        for place, scope in enumerate(scopes)
        if scope not in SCOPES
    ]
    if not scopes:
        problems.append(Problem("scopes", "are missing", f"known: {', '.join(SCOPES)}"))
    if not name.strip():
        problems.append(Problem("name", "is empty", "name the program that will use the key"))
    with transaction.atomic():
        fetch(sql("SELECT pg_advisory_xact_lock(hashtextextended({name}, 0))", name=f"api key {name}"))
        live = ApiKey.objects.filter(name=name, revoked_at=None).filter(Q(expires_at=None) | Q(expires_at__gt=now))
        if live.count() >= LIVE_MAX:
            problems.append(
                Problem("name", f"{name!r} has {LIVE_MAX} live keys", "revoke one with --revoke PREFIX first")
            )
        if problems:
            raise Problems(problems)
        secret = f"lc_{secrets.token_urlsafe(32)}"
        key = ApiKey.objects.create(
            name=name,
            prefix=secret[:PREFIX_LENGTH],
            digest=digest(secret),
            scopes=sorted(set(scopes)),
            created_at=now,
            expires_at=now + lifetime if lifetime else None,
        )
    return NewKey(key.pk, secret)


def revoke_api_key(*, prefix: str, now: datetime) -> bool:
    """End a key at once; False when there is none or it has ended."""
    return bool(ApiKey.objects.filter(prefix=prefix, revoked_at=None).update(revoked_at=now))
