"""Messages without a flow: one to each of some people, through the outbox with its guards, passport and facts.

Such a message has an origin where others have an enrollment, from a sequence of its own in the upper half of the ids,
so the primary key carries "at most once" for it too.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from psycopg.types.json import Jsonb

from campaigns.channels.message import OutgoingEmail
from campaigns.channels.models import Sender
from campaigns.channels.names import NUMBERS
from campaigns.content import queries as content
from campaigns.delivery.claim import Claimed
from campaigns.delivery.ids import ENROLLMENT_SHIFT, pack
from campaigns.delivery.models import Dispatch
from campaigns.delivery.plan import plan_ctes
from loyalty.kit.chores import hint
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, fetch_values, sql

FIRST_ORIGIN = 1 << 37
# There is no step and no visit; both stand as 0 in the message id.
STEP_NO = 0
TEXT_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Single:
    """One message: to whom, and what its template sees as `event`."""

    customer_id: int
    event: Mapping[str, Any]


@transaction.atomic
def send_singles(*, template: str, step: str, people: Sequence[Single], now: datetime) -> list[int]:
    """Plan one message of this template per person; their ids, in order. The guards judge as always.

    `step` names the purpose in reports and passports. Raises Problems for an unknown template or no clear sender.
    """
    dispatch = _dispatch(template, step, now)
    origins = [
        row[0] for row in fetch(sql("SELECT nextval('single_origin_seq') FROM generate_series(1, {n})", n=len(people)))
    ]
    execute(
        sql(
            "INSERT INTO message_context (origin_id, event)"
            " SELECT * FROM unnest({origins}::bigint[], {events}::jsonb[])",
            origins=origins,
            events=[Jsonb({"name": step, **one.event}) for one in people],
        )
    )
    rows = sql(
        "SELECT origin, customer_id, 0, {now}::timestamptz, false"
        " FROM unnest({origins}::bigint[], {customers}::bigint[]) AS r (origin, customer_id)",
        origins=origins,
        customers=[one.customer_id for one in people],
        now=now,
    )
    fetch(sql("WITH {ctes} SELECT count(*) FROM planned", ctes=plan_ctes("planned", dispatch, rows, now)))
    hint("delivery.send_email")
    return [pack(origin, 0, STEP_NO, NUMBERS[dispatch.channel]) for origin in origins]


def send_single(*, template: str, step: str, customer_id: int, event: Mapping[str, Any], now: datetime) -> int:
    """Plan one message to one person; its id (see `send_singles`)."""
    return send_singles(template=template, step=step, people=[Single(customer_id, event)], now=now)[0]


def _dispatch(key: str, step: str, now: datetime) -> Dispatch:
    """The instruction for the template's current version; a new version gets its own."""
    found = content.current(key)
    if found is None:
        raise Problems([Problem("template", f"there is no template {key!r}", "apply it first")])
    template, version = found
    sender = _sender(template.channel, template.sender_key)
    # Nothing unique tells such dispatches apart, so that two callers at once must not both make one.
    fetch(sql("SELECT pg_advisory_xact_lock(hashtext('single dispatch'))"))
    wanted = {"flow_id": None, "step": step, "template_version_id": version.pk, "sender_id": sender.pk}
    dispatch: Dispatch | None = Dispatch.objects.filter(flow_key=None, **wanted).order_by("id").first()
    return dispatch or Dispatch.objects.create(
        **wanted, step_no=STEP_NO, channel=template.channel, purpose=template.purpose, topic=template.topic,
        created_at=now,
    )  # fmt: skip


def _sender(channel: str, key: str | None) -> Sender:
    senders = list(Sender.objects.filter(channel=channel, **({"key": key} if key else {})).order_by("id")[:2])
    if len(senders) == 1:
        return senders[0]
    if key or not senders:
        raise Problems([Problem("sender", f"there is no sender {key or 'for ' + channel}", "apply it first")])
    raise Problems([Problem("sender", f"there are several for {channel}", "name one in the template: sender: ...")])


def keep_copies(
    emails: Mapping[int, OutgoingEmail],
    messages: Sequence[Claimed],
    dispatches: Mapping[int, Dispatch],
    *,
    at: datetime,
) -> int:
    """Keep what single messages say, as they are rendered to be sent: it may have to be proven. How many.

    Messages of flows are left out at the cost of one comparison each dispatch.
    """
    if not any(dispatch.flow_id is None for dispatch in dispatches.values()):
        return 0
    single = [
        emails[message.id]
        for message in messages
        if message.id in emails and message.id >> ENROLLMENT_SHIFT >= FIRST_ORIGIN
    ]
    if not single:
        return 0
    return execute(
        sql(
            "UPDATE message_context c SET copy = r.copy FROM unnest({origins}::bigint[], {copies}::jsonb[])"
            " AS r (origin_id, copy) WHERE c.origin_id = r.origin_id",
            origins=[email.id >> ENROLLMENT_SHIFT for email in single],
            copies=[Jsonb(_copy(email, at)) for email in single],
        )
    )


def _copy(email: OutgoingEmail, at: datetime) -> dict[str, Any]:
    return {
        "to": email.to,
        "subject": email.subject,
        "text": email.text[:TEXT_MAX],
        "sha256": body_hash(email),
        "at": at.isoformat(),
    }


def body_hash(email: OutgoingEmail) -> str:
    """SHA-256 over subject, text and HTML, each followed by a NUL: changes with any letter of the mail."""
    digest = hashlib.sha256()
    for part in (email.subject, email.text, email.html):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def copy_of(message_id: int) -> dict[str, Any] | None:
    """What a single message said, None for one that was never rendered or is gone."""
    query = sql("SELECT copy FROM message_context WHERE origin_id = {o}", o=message_id >> ENROLLMENT_SHIFT)
    rows = fetch_values(query)
    return rows[0]["copy"] if rows else None
