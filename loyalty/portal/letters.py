"""The mails that let people in: written by a chore, so that no form tells by its time who is known."""

import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext

from loyalty.consent import optin
from loyalty.customers.operations import upsert_customers
from loyalty.customers.queries import resolve
from loyalty.kit.logs import fields
from loyalty.kit.mailing import Letter, Mail, send
from loyalty.kit.problems import Problems
from loyalty.kit.sql import execute, sql
from loyalty.portal import entrance
from loyalty.portal.look import Look, look
from loyalty.portal.models import EntryRequest

log = logging.getLogger(__name__)

BATCH = 200
SOURCE = "portal"
FOLDER = Path(__file__).resolve().parent.parent.parent / "templates" / "email"
MAILS = {
    "sign_in": Mail(
        "portal_sign_in",
        {"en": "Member portal: sign in", "de": "Mitgliederbereich: Anmelden"},
        {
            "en": "{{ event.code }} is your code to sign in",
            "de": "{{ event.code }} ist Ihr Code zum Anmelden",
        },
        FOLDER,
    ),
    "join": Mail(
        "portal_join",
        {"en": "Member portal: join", "de": "Mitgliederbereich: Beitreten"},
        {"en": "Please confirm: {{ event.club }}", "de": "Bitte bestätigen: {{ event.club }}"},
        FOLDER,
    ),
}


def mail(*, now: datetime) -> int:
    """Write the mails that are asked for, to those who are somebody; how many requests are settled."""
    with transaction.atomic():
        waiting = list(
            EntryRequest.objects.select_for_update(skip_locked=True)
            .filter(state="asked")
            .order_by("requested_at")[:BATCH]
        )
        if not waiting:
            return 0
        addresses = resolve([{"email": one.address or ""} for one in waiting])
        for one, customer_id in zip(waiting, addresses, strict=True):
            one.customer_id = customer_id
        _meet([one for one in waiting if one.kind == "join"], now=now)
        shown = look()
        for kind, built_in in MAILS.items():
            _send(built_in, [one for one in waiting if one.kind == kind], shown, now)
        EntryRequest.objects.bulk_update(
            waiting, ["state", "address", "customer_id", "opt_in_id", "message_id", "code_digest", "details"]
        )
    return len(waiting)


def _meet(joining: Sequence[EntryRequest], *, now: datetime) -> None:
    """Make a person of each address that nobody has; what else the form said waits for the confirmation."""
    new = [one for one in joining if one.customer_id is None and not _too_late(one, now)]
    rows = [{"email": one.address, "locale": one.locale} for one in new]
    done = upsert_customers(rows, now=now, source=SOURCE) if rows else None
    for place, one in enumerate(new):
        one.customer_id = done.ids[place] if done else None


def _too_late(one: EntryRequest, now: datetime) -> bool:
    return one.expires_at <= now


def _send(built_in: Mail, asked: Sequence[EntryRequest], shown: Look, now: datetime) -> None:
    fit: list[EntryRequest] = []
    letters: list[Letter] = []
    for one in asked:
        if one.customer_id is None or _too_late(one, now):
            one.state = "nobody" if one.customer_id is None else "refused"
            one.address = one.details = one.customer_id = None
            continue
        event = _join(one, shown, now) if one.kind == "join" else {}
        if event is None:
            one.state, one.address, one.details = "refused", None, None
            continue
        code = entrance.new_code()
        one.code_digest = entrance.code_digest(one.id, code)
        fit.append(one)
        letters.append(Letter(one.customer_id, _event(one, code, shown) | event))
    try:
        with transaction.atomic():
            messages = send(built_in, letters, now=now)
    except Problems as wrong:
        # Nothing is kept waiting: what was asked for by then would come too late.
        log.error("portal.letters.refused", extra=fields(mail=built_in.key, problems=str(wrong)))
        for one in fit:
            one.state, one.code_digest, one.address, one.details = "refused", None, None, None
        return
    noted = {}
    for one, message_id in zip(fit, messages, strict=True):
        one.state, one.message_id = "mailed", message_id
        if one.opt_in_id is not None:
            noted[one.opt_in_id] = message_id
        if one.kind == "sign_in":
            one.address = None
    if noted:
        optin.mailed(noted, reminder=False, now=now)


def _event(one: EntryRequest, code: str, shown: Look) -> dict[str, Any]:
    with translation.override(one.locale or "en"):
        club = shown.name or gettext("Member portal")
    return {
        "confirm_url": entrance.link(one.id),
        "code": f"{code[:4]} {code[4:]}",
        "club": club,
        "expires_at": one.expires_at.isoformat(),
    }


def _join(one: EntryRequest, shown: Look, now: datetime) -> dict[str, Any] | None:
    """What the mail repeats of the form, kept as a double opt-in; None when the person was sent enough mails today."""
    details = one.details or {}
    asked = optin.Asked(
        customer_id=one.customer_id or 0,
        channel="email",
        address=one.address or "",
        purposes=details.get("purposes", []),
        topics=[],
        source=SOURCE,
        text_version=details.get("text_version", "1"),
        text=details.get("text", ""),
        form="join",
        locale=one.locale,
        ip=one.ip,
        user_agent=one.user_agent,
    )
    try:
        request, _fresh = optin.ask(asked, now=one.requested_at)
    except optin.TooMany:
        return None
    one.opt_in_id = request.id
    return {"text": details.get("text", "")}


def settle(request_id: Any, *, now: datetime) -> bool:
    """Mark a request as used; False when somebody else was faster, or it is over."""
    return bool(
        execute(
            sql(
                "UPDATE portal_entry SET state = 'used', used_at = {now}, code_digest = NULL, address = NULL,"
                " details = NULL WHERE id = {id} AND state = 'mailed' AND expires_at > {now}",
                id=request_id,
                now=now,
            )
        )
    )
