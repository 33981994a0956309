"""Double opt-in: a request counts once the owner of the address confirms it, and both steps are proven."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from loyalty.consent import choices
from loyalty.consent.entries import ConsentEntry
from loyalty.consent.models import OptInRequest
from loyalty.consent.operations import record
from loyalty.kit.sql import Sql, execute, fetch, fetch_values, sql

# The same form sent again within this time brings no second mail.
PATIENCE = timedelta(minutes=10)
# Mails that one person is sent in a day, however often somebody fills in forms with the address.
MOST_A_DAY = 5
CONFIRMED, ALREADY, EXPIRED, CHANGED, GONE = "confirmed", "already", "expired", "changed", "gone"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, where and by which text; `address` is that of the profile at this moment."""

    customer_id: int
    channel: str
    address: str
    purposes: Sequence[str]
    topics: Sequence[str]
    source: str
    text_version: str
    text: str
    form: str | None = None
    locale: str | None = None
    ip: str | None = None
    user_agent: str | None = None


class TooMany(Exception):
    """The person was sent as many confirmation mails today as anybody is."""


@transaction.atomic
def ask(asked: Asked, *, now: datetime) -> tuple[OptInRequest, bool]:
    """The request, and whether it is new (then its mail has to be sent). Raises TooMany.

    Who asks for the same again within ten minutes is given the request that is there.
    """
    fetch(sql("SELECT FROM customer WHERE id = {id} FOR UPDATE", id=asked.customer_id))
    recent = list(
        OptInRequest.objects.filter(customer_id=asked.customer_id, requested_at__gt=now - timedelta(days=1)).order_by(
            "-requested_at"
        )[: MOST_A_DAY + 1]
    )
    for request in recent:
        if request.requested_at > now - PATIENCE and request.confirmed_at is None and _same(request, asked):
            return request, False
    if len(recent) >= MOST_A_DAY:
        raise TooMany
    request = OptInRequest.objects.create(
        customer_id=asked.customer_id,
        channel=asked.channel,
        address=asked.address,
        purposes=list(asked.purposes),
        topics=list(asked.topics),
        source=asked.source,
        form=asked.form,
        text_version=asked.text_version,
        text=asked.text,
        locale=asked.locale,
        ip=asked.ip,
        user_agent=asked.user_agent,
        requested_at=now,
        expires_at=now + timedelta(days=settings.DOUBLE_OPT_IN_DAYS),
    )
    return request, True


def _same(request: OptInRequest, asked: Asked) -> bool:
    there = (request.channel, request.address, request.purposes, request.topics, request.text_version)
    return there == (asked.channel, asked.address, list(asked.purposes), list(asked.topics), asked.text_version)


def mailed(messages: Mapping[UUID, int], *, reminder: bool, now: datetime) -> int:
    """Note which messages carry the requests' mails; how many."""
    noted = Sql("message_id = m.message_id")
    if reminder:
        noted = sql("reminder_id = m.message_id, reminded_at = {now}", now=now)
    return execute(
        sql(
            "UPDATE opt_in_request r SET {noted}"
            " FROM unnest({ids}::uuid[], {messages}::bigint[]) AS m (id, message_id) WHERE r.id = m.id",
            noted=noted,
            ids=list(messages),
            messages=list(messages.values()),
        )
    )


def to_remind(*, after: timedelta, limit: int, now: datetime) -> list[OptInRequest]:
    """Open requests that are so old, still count and were never reminded, locked; the oldest first."""
    return list(
        OptInRequest.objects.select_for_update(skip_locked=True)
        .filter(
            confirmed_at__isnull=True,
            reminded_at__isnull=True,
            requested_at__lte=now - after,
            expires_at__gt=now,
            message_id__isnull=False,
        )
        .order_by("requested_at")[:limit]
    )


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a click on the button did: `state` is confirmed, already, expired, changed (the profile has another address
    now) or gone. `granted` are the (channel, purpose) that are new."""

    state: str
    request: OptInRequest | None = None
    granted: Sequence[tuple[str, str]] = ()


def standing(request_id: UUID, *, now: datetime) -> Confirmed:
    """What a click on the button would do; changes nothing."""
    request = OptInRequest.objects.filter(pk=request_id).first()
    return _standing(request, now)


def _standing(request: OptInRequest | None, now: datetime) -> Confirmed:
    if request is None:
        return Confirmed(GONE)
    if request.confirmed_at is not None:
        return Confirmed(ALREADY, request)
    if request.expires_at <= now:
        return Confirmed(EXPIRED, request)
    rows = fetch(sql("SELECT lower(email) FROM customer WHERE id = {id}", id=request.customer_id))
    if not rows:
        return Confirmed(GONE)
    return Confirmed(CONFIRMED if rows[0][0] == request.address.lower() else CHANGED, request)


@transaction.atomic
def confirm(request_id: UUID, *, ip: str | None, user_agent: str | None, now: datetime) -> Confirmed:
    """Confirm the request and record what it grants, with the whole proof; the second time nothing happens.

    Raises nothing: what stands in the way is told by `state`.
    """
    owner = fetch(sql("SELECT customer_id FROM opt_in_request WHERE id = {id}", id=request_id))
    if not owner:
        return Confirmed(GONE)
    # The person first, then the request: in the order of every other writer.
    fetch(sql("SELECT FROM customer WHERE id = {id} FOR UPDATE", id=owner[0][0]))
    request = OptInRequest.objects.select_for_update().filter(pk=request_id).first()
    found = _standing(request, now)
    if found.state != CONFIRMED or request is None:
        return found
    request.confirmed_at, request.confirm_ip, request.confirm_user_agent = now, ip, user_agent
    request.save(update_fields=["confirmed_at", "confirm_ip", "confirm_user_agent"])
    evidence = evidence_of(request)
    granted = [(request.channel, purpose) for purpose in request.purposes]
    record(
        [
            ConsentEntry(
                customer_id=request.customer_id,
                channel=channel,
                purpose=purpose,
                status="granted",
                source=request.source,
                at=now,
                text_version=request.text_version,
                evidence=evidence,
            )
            for channel, purpose in granted
        ],
        now=now,
    )
    held = choices.current(request.customer_id)
    choices.save(
        customer_id=request.customer_id,
        choices=choices.Choices(dict.fromkeys(request.topics, True), held.paused_until, held.frequency),
        source=request.source,
        evidence={"request": str(request.id)},
        now=now,
    )
    return Confirmed(CONFIRMED, request, granted)


def evidence_of(request: OptInRequest) -> dict[str, Any]:
    """What the ledger keeps of the two steps; the text itself and the mail stand in the proof."""
    given = {
        "double_opt_in": str(request.id),
        "requested_at": request.requested_at.isoformat(),
        "address": request.address,
        "form": request.form,
        "ip": request.ip,
        "message_id": str(request.message_id) if request.message_id else None,
        "confirmed_at": request.confirmed_at.isoformat() if request.confirmed_at else None,
        "confirm_ip": request.confirm_ip,
    }
    return {name: value for name, value in given.items() if value}


def requests_of(customer_id: int) -> list[OptInRequest]:
    """A person's requests, latest first."""
    return list(OptInRequest.objects.filter(customer_id=customer_id).order_by("-requested_at"))


def entries_of(request: OptInRequest) -> list[dict[str, Any]]:
    """What the ledger has of the request's confirmation."""
    return fetch_values(
        sql(
            "SELECT id, channel, purpose, status, occurred_at, recorded_at, source, text_version FROM consent_entry"
            " WHERE customer_id = {customer} AND evidence ->> 'double_opt_in' = {request} ORDER BY id",
            customer=request.customer_id,
            request=str(request.id),
        )
    )
