"""Double opt-in over the outbox: the one mail that asks for the confirmation, its reminder, and what a click does."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from campaigns.delivery import links
from campaigns.delivery.mailing import ensure_template
from campaigns.delivery.single import Single, send_singles
from loyalty.consent import optin
from loyalty.consent.models import OptInRequest
from loyalty.events import facts
from loyalty.kit.mailing import Mail
from loyalty.kit.sql import sql

STEP = "double_opt_in"
REMINDER = "double_opt_in_reminder"
REMIND_BATCH = 500
MAIL = Mail(
    key="double_opt_in",
    name={"en": "Confirm a subscription", "de": "Anmeldung bestätigen"},
    subjects={"en": "Please confirm your subscription", "de": "Bitte bestätigen Sie Ihre Anmeldung"},
    folder=Path(__file__).resolve().parent.parent.parent / "templates" / "email",
)


@transaction.atomic
def start(asked: optin.Asked, *, now: datetime) -> tuple[OptInRequest, bool]:
    """Note the request and plan its mail; the request, and whether a mail goes out. Raises optin.TooMany, Problems."""
    request, fresh = optin.ask(asked, now=now)
    if fresh:
        _mail([request], step=STEP, now=now)
        request.refresh_from_db()
    return request, fresh


@transaction.atomic
def remind(*, now: datetime) -> int:
    """Send the one reminder to who has not confirmed for so many days; none unless the setting says so. How many."""
    days = settings.DOUBLE_OPT_IN_REMINDER_DAYS
    if days <= 0:
        return 0
    due = optin.to_remind(after=timedelta(days=days), limit=REMIND_BATCH, now=now)
    if due:
        _mail(due, step=REMINDER, now=now)
    return len(due)


def _mail(requests: Sequence[OptInRequest], *, step: str, now: datetime) -> None:
    ensure_template(MAIL, now=now)
    people = [Single(request.customer_id, _event(request)) for request in requests]
    messages = send_singles(template=MAIL.key, step=step, people=people, now=now)
    ids = [request.id for request in requests]
    optin.mailed(dict(zip(ids, messages, strict=True)), reminder=step == REMINDER, now=now)


def _event(request: OptInRequest) -> dict[str, Any]:
    return {
        "confirm_url": f"{settings.PUBLIC_URL}/d/{links.confirm_token(request.id)}",
        "text": request.text,
        "expires_at": request.expires_at.isoformat(),
    }


@transaction.atomic
def confirm(request_id: UUID, *, ip: str | None, user_agent: str | None, now: datetime) -> optin.Confirmed:
    """Confirm a request, with the facts that flows can start from; harmless the second time."""
    done = optin.confirm(request_id, ip=ip, user_agent=user_agent, now=now)
    if done.granted and done.request is not None:
        tell(done.request.customer_id, [(*key, "granted") for key in done.granted], done.request.source, now)
    return done


def tell(customer_id: int, changes: Sequence[tuple[str, str, str]], source: str, now: datetime) -> None:
    """The facts `consent.granted` and `consent.withdrawn` of (channel, purpose, status)."""
    for status in sorted({status for _, _, status in changes}):
        some = [(channel, purpose) for channel, purpose, said in changes if said == status]
        facts.write(
            f"consent.{status}",
            sql(
                """SELECT {customer}::bigint, {now}::timestamptz, NULL::bigint,
                    jsonb_build_object('channel', channel, 'purpose', purpose, 'source', {source}::text)
                FROM unnest({channels}::text[], {purposes}::text[]) AS c (channel, purpose)""",
                customer=customer_id,
                now=now,
                source=source,
                channels=[channel for channel, _ in some],
                purposes=[purpose for _, purpose in some],
            ),
        )
