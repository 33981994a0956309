"""Coming in without a password: an address is given, a link and a code are mailed to it, one of them lets in, once.

Whether somebody has the address must not be told, not even by the time an answer takes: what a form does is the same
for every address, the rest is done by a chore (`letters`).
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from psycopg.types.json import Jsonb

from loyalty.kit.chores import hint
from loyalty.kit.digests import address_digest
from loyalty.kit.sql import execute, fetch, sql
from loyalty.kit.tokens import BadToken, seal, unseal
from loyalty.portal.models import EntryRequest

PURPOSE = "portal entry"
SIGN_IN_LASTS = timedelta(minutes=15)
# Mails to one address in an hour and in a day, however often somebody fills in the form.
MOST_AN_HOUR, MOST_A_DAY = 5, 10
# 5 tries at 8 digits, 10 requests a day: one in two million for who tries a whole day.
CODE_DIGITS, MOST_TRIES = 8, 5


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form brought; `details` are only those of joining."""

    kind: str
    address: str
    locale: str
    ip: str | None
    user_agent: str | None
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the browser keeps that asked: the code counts only there."""

    request_id: UUID
    secret: str


@transaction.atomic
def ask(asked: Asked, *, now: datetime) -> Ticket:
    """Note the request; its mail follows. Past the limit nothing is noted, and the answer is the same."""
    ticket = Ticket(uuid4(), secrets.token_urlsafe(16))
    lasts = SIGN_IN_LASTS if asked.kind == "sign_in" else timedelta(days=settings.DOUBLE_OPT_IN_DAYS)
    execute(
        sql(
            "INSERT INTO portal_entry (id, kind, state, address, address_digest, browser_digest, details, locale, ip,"
            " user_agent, requested_at, expires_at, tries)"
            " SELECT {id}, {kind}, 'asked', {address}, {digest}, {browser}, {details}::jsonb, {locale}, {ip}, {agent},"
            " {now}, {ends}, 0 FROM (SELECT count(*) FILTER (WHERE requested_at > {hour}) AS hour, count(*) AS day"
            " FROM portal_entry WHERE address_digest = {digest} AND requested_at > {day}) been"
            " WHERE been.hour < {most_an_hour} AND been.day < {most_a_day}",
            id=ticket.request_id,
            kind=asked.kind,
            address=asked.address,
            digest=address_digest(asked.address, key=settings.ADDRESS_KEY),
            browser=_browser(ticket.secret),
            details=Jsonb(dict(asked.details)) if asked.details else None,
            locale=asked.locale,
            ip=asked.ip,
            agent=asked.user_agent,
            now=now,
            ends=now + lasts,
            hour=now - timedelta(hours=1),
            day=now - timedelta(days=1),
            most_an_hour=MOST_AN_HOUR,
            most_a_day=MOST_A_DAY,
        )
    )
    hint("portal.letters")
    return ticket


def new_code() -> str:
    """A code that nobody can guess."""
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"


def code_digest(request_id: UUID, code: str) -> bytes:
    """The keyed hash of a request's code."""
    return hmac.digest(settings.SECRET_KEY.encode(), b"portal code" + request_id.bytes + code.encode(), "sha256")


def link(request_id: UUID) -> str:
    """The address that the mail leads to."""
    token = seal(request_id.bytes, purpose=PURPOSE, secret=settings.SECRET_KEY)
    return f"{settings.PUBLIC_URL}/member/in/{token}"


def read_link(token: str) -> UUID:
    """The request of a mailed link; raises BadToken."""
    payload = unseal(token, purpose=PURPOSE, secrets=(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))
    if len(payload) != 16:
        raise BadToken("not a link to come in")
    return UUID(bytes=payload)


def by_link(request_id: UUID, *, now: datetime) -> EntryRequest | None:
    """The request behind a link, while it lets in."""
    found = EntryRequest.objects.filter(pk=request_id, state="mailed", expires_at__gt=now).first()
    return found if found and found.customer_id is not None else None


def by_code(ticket: Ticket, code: str, *, now: datetime) -> EntryRequest | None:
    """The request whose code this is, in the browser that asked; every try counts, whether right or wrong.

    The count is written in a transaction of its own, so that tries at once are as many as tries in a row.
    """
    digits = "".join(char for char in code if char.isascii() and char.isdigit())
    rows = fetch(
        sql(
            "UPDATE portal_entry SET tries = tries + 1 WHERE id = {id} AND browser_digest = {browser}"
            " AND state = 'mailed' AND expires_at > {now} AND tries < {most} RETURNING code_digest",
            id=ticket.request_id,
            browser=_browser(ticket.secret),
            now=now,
            most=MOST_TRIES,
        )
    )
    if not rows or not rows[0][0]:
        return None
    if not hmac.compare_digest(bytes(rows[0][0]), code_digest(ticket.request_id, digits)):
        return None
    return by_link(ticket.request_id, now=now)


def forget_old(*, now: datetime, limit: int) -> int:
    """Delete what was over a day ago; how many. What joining granted is proven by the double opt-in."""
    return execute(
        sql(
            "DELETE FROM portal_entry WHERE id IN (SELECT id FROM portal_entry WHERE expires_at <= {over}"
            " ORDER BY expires_at LIMIT {limit} FOR UPDATE SKIP LOCKED)",
            over=now - timedelta(days=1),
            limit=limit,
        )
    )


def _browser(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
