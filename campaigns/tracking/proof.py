"""The proof of a double opt-in: both steps with everything that was kept of them, for people and for programs."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpResponse

from campaigns.delivery import queries as outbox
from campaigns.delivery.single import copy_of
from loyalty.consent import optin
from loyalty.consent.models import OptInRequest
from loyalty.kit import clock
from loyalty.kit.sql import fetch, sql


def of(request_id: UUID) -> dict[str, Any] | None:
    """Everything about one double opt-in; None for one that does not exist or went with its person."""
    request = OptInRequest.objects.filter(pk=request_id).first()
    if request is None:
        return None
    external = fetch(sql("SELECT external_id FROM customer WHERE id = {id}", id=request.customer_id))
    confirmed = request.confirmed_at is not None
    return {
        "id": str(request.id),
        "state": "confirmed" if confirmed else "expired" if request.expires_at <= clock.now() else "pending",
        "customer": external[0][0] if external else None,
        "channel": request.channel,
        "address": request.address,
        "purposes": request.purposes,
        "topics": request.topics,
        "request": {
            "at": request.requested_at,
            "source": request.source,
            "form": request.form,
            "ip": request.ip,
            "user_agent": request.user_agent,
            "locale": request.locale,
            "text_version": request.text_version,
            "text": request.text,
        },
        "expires_at": request.expires_at,
        "mail": _mail(request.message_id),
        "reminder": _mail(request.reminder_id),
        "confirmation": {
            "at": request.confirmed_at,
            "ip": request.confirm_ip,
            "user_agent": request.confirm_user_agent,
        }
        if confirmed
        else None,
        "entries": optin.entries_of(request),
    }


def _mail(message_id: int | None) -> dict[str, Any] | None:
    passport = outbox.passport(message_id) if message_id else None
    if message_id is None or passport is None:
        return None
    copy = copy_of(message_id) or {}
    attempt = passport["attempts"][-1] if passport["attempts"] else {}
    sent: datetime | None = passport["started_at"] if passport["state"] == "sent" else None
    return {
        "message_id": str(message_id),
        "state": passport["state"],
        "sent_at": sent,
        "to": copy.get("to"),
        "subject": copy.get("subject"),
        "text": copy.get("text"),
        "sha256": copy.get("sha256"),
        "provider_id": attempt.get("provider_id"),
        "answer": attempt.get("detail"),
    }


def answer(found: dict[str, Any]) -> HttpResponse:
    """The proof as a JSON document."""
    text = json.dumps(found, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
    response = HttpResponse(text, content_type="application/json")
    response["Content-Disposition"] = f'inline; filename="double-opt-in-{found["id"]}.json"'
    response["Cache-Control"] = "no-store"
    return response
