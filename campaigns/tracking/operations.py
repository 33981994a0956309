"""Writes what readers did: hits and their facts as sets, opt-outs and preferences one person at a time."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from psycopg import Cursor

from campaigns.tracking import optin, queries
from campaigns.tracking.machines import JUDGE_AFTER_SECONDS, SCAN_SECONDS
from campaigns.tracking.models import Hit
from campaigns.tracking.targets import is_target
from loyalty.consent import choices, existing
from loyalty.consent.choices import Choices
from loyalty.consent.entries import ConsentEntry
from loyalty.consent.operations import record as record_consent
from loyalty.consent.optin import Confirmed
from loyalty.events import facts
from loyalty.kit.sql import Sql, execute, fetch, sql

# The purposes that a person can withdraw; a link in a transactional message ends advertising, its only voluntary part.
WITHDRAWABLE = ("marketing", "service", "tracking", "profiling")
# Claimed per call of the chore: 5,000 hits took 60 ms.
MOST_JUDGED = 5000
# A connection that answered this long ago is taken to be alive.
ALIVE_SECONDS = 1.0
_used = threading.local()
# The short form of `targets.is_target`, which the answer must pass besides.
WEB_ADDRESS = r"^https?://[^\s\\[:cntrl:]]+$"


@dataclass(frozen=True, slots=True)
class Request:
    """One hit as it came in: a click has `link` (the link's number in the template) or `url` (sealed in its token)."""

    kind: str
    message_id: int
    link: int | None
    url: str | None
    at: datetime
    machine: bool
    user_agent: str
    method: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Where the reader goes (None: nowhere we know) and whether the hit was kept."""

    url: str | None
    recorded: bool


def record(requests: Sequence[Request]) -> list[Answer]:
    """Store hits and, for people's, the facts `message.clicked` and `message.opened`; one answer each, in order.

    Who has no consent to tracking any more is sent on and leaves no trace. A click in a mail that may have several
    links waits for `judge`, which knows whether the other links were fetched too. All in one statement, so that a burst
    waits for one turn at the database and at the interpreter's lock, not for five.
    """
    query = sql(
        """WITH {asked}, stored AS (
            INSERT INTO hit (kind, message_id, customer_id, link, url, at, machine, user_agent, method)
            SELECT kind, message_id, customer_id, link, url, at, machine, user_agent, method
            FROM answered WHERE kept
            RETURNING kind, message_id, customer_id, link, url, at, machine
        ), {clicked}, {opened} SELECT url, kept FROM answered ORDER BY n""",
        asked=_asked(requests),
        clicked=facts.ctes("clicked", "message.clicked", _people(sql("stored"), Hit.Kind.CLICK), ask=False),
        opened=facts.ctes("opened", "message.opened", _people(sql("stored"), Hit.Kind.OPEN), ask=False),
    )
    return [Answer(url if url and is_target(url) else None, kept) for url, kept in _prepared(query)]


def _prepared(query: Sql) -> list[tuple[Any, ...]]:
    """Run a statement that is planned once per connection: planning took 0.7 ms, running 0.5 ms for 8 hits.

    Django asks each connection once per request whether it is alive, another turn at the database; here only one that
    may have been idle is asked.
    """
    if time.monotonic() - getattr(_used, "at", 0.0) > ALIVE_SECONDS:
        connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        rows = cursor.execute(query.text, query.params, prepare=True).fetchall()
    _used.at = time.monotonic()
    return rows


def _asked(requests: Sequence[Request]) -> Sql:
    """The CTEs from `asked` to `answered`: each request with its person, where it leads and whether it may be kept.

    `known` locks the people against erasure until the commit. In `version`, a call of the filter `_click` means
    addresses made of data, so there may be any number of them.
    """
    return sql(
        """asked AS (
            SELECT * FROM unnest({kinds}::text[], {messages}::bigint[], {links}::smallint[], {urls}::text[],
                {ats}::timestamptz[], {machines}::boolean[], {agents}::text[], {methods}::text[])
                WITH ORDINALITY AS a (kind, message_id, link, url, at, machine, user_agent, method, n)
        ), known AS MATERIALIZED (
            SELECT m.id, m.customer_id, d.template_version_id, EXISTS (
                SELECT FROM consent_state s
                WHERE s.customer_id = m.customer_id AND s.channel = 'email' AND s.purpose = 'tracking'
                    AND s.status = 'granted') AS tracked
            FROM message m JOIN dispatch d ON d.id = m.dispatch_id JOIN customer c ON c.id = m.customer_id
            WHERE m.id = ANY({messages}::bigint[]) ORDER BY c.id FOR KEY SHARE OF c
        ), version AS MATERIALIZED (
            SELECT v.id, v.compiled -> 'links' AS links,
                jsonb_array_length(v.compiled -> 'links') > 1 OR EXISTS (
                    SELECT FROM jsonb_each(v.compiled -> 'locales') l
                    WHERE l.value ->> 'html' LIKE '%_click(%' OR l.value ->> 'text' LIKE '%_click(%') AS several
            FROM template_version v WHERE v.id IN (SELECT template_version_id FROM known)
        ), addressed AS (
            SELECT a.n, a.kind, a.message_id, k.customer_id, a.link, coalesce(a.url, v.links ->> a.link::int) AS url,
                a.at, a.user_agent, a.method, coalesce(k.tracked, false) AS tracked,
                CASE WHEN a.machine THEN true
                    WHEN a.kind = 'click' AND v.several THEN NULL ELSE false END AS machine
            FROM asked a LEFT JOIN known k ON k.id = a.message_id LEFT JOIN version v ON v.id = k.template_version_id
        ), answered AS MATERIALIZED (
            SELECT *, tracked AND (kind <> 'click' OR coalesce(url ~* {web}, false)) AS kept FROM addressed
        )""",
        kinds=[request.kind for request in requests],
        messages=[request.message_id for request in requests],
        links=[request.link for request in requests],
        urls=[request.url for request in requests],
        ats=[request.at for request in requests],
        machines=[request.machine for request in requests],
        agents=[request.user_agent or None for request in requests],
        methods=[request.method for request in requests],
        web=WEB_ADDRESS,
    )


def _people(hits: Sql, kind: str) -> Sql:
    """The fact rows of the hits that people made."""
    return sql(
        """SELECT customer_id, at, message_id,
            CASE WHEN kind = 'click' THEN jsonb_strip_nulls(jsonb_build_object('link', link, 'url', url)) END
        FROM {hits} WHERE kind = {kind} AND machine IS FALSE""",
        hits=hits,
        kind=kind,
    )


@transaction.atomic
def judge(*, now: datetime) -> int:
    """Decide on the clicks that wait: another link of the same message within a second means a scanner; how many.

    A click is old enough by the database's clock or by `now`, so that a replay at a later instant need not wait.
    """
    ripe = sql(
        """ripe AS MATERIALIZED (
            SELECT id, message_id, link, url, at FROM hit
            WHERE machine IS NULL AND at <= greatest({now}, clock_timestamp()) - make_interval(secs => {age})
            ORDER BY at LIMIT {most} FOR UPDATE SKIP LOCKED
        ), judged AS (
            UPDATE hit SET machine = EXISTS (
                SELECT FROM hit other
                WHERE other.message_id = ripe.message_id AND other.kind = 'click'
                    AND other.at >= ripe.at - make_interval(secs => {scan})
                    AND other.at <= ripe.at + make_interval(secs => {scan})
                    AND (other.link, other.url) IS DISTINCT FROM (ripe.link, ripe.url))
            FROM ripe WHERE hit.id = ripe.id
            RETURNING hit.kind, hit.message_id, hit.customer_id, hit.link, hit.url, hit.at, hit.machine)""",
        now=now,
        age=JUDGE_AFTER_SECONDS,
        most=MOST_JUDGED,
        scan=SCAN_SECONDS,
    )
    clicked = facts.ctes("clicked", "message.clicked", _people(sql("judged"), Hit.Kind.CLICK))
    counted = sql("WITH {ripe}, {clicked} SELECT count(*) FROM judged", ripe=ripe, clicked=clicked)
    return int(fetch(counted)[0][0])


@transaction.atomic
def unsubscribe(
    *,
    customer_id: int,
    message_id: int,
    channel: str,
    purpose: str,
    source: str,
    user_agent: str,
    now: datetime,
) -> bool:
    """Withdraw consent by a message's own link, with its facts; False if it was so already or the person is gone."""
    purpose = purpose if purpose in WITHDRAWABLE else "marketing"
    wanted = {(channel, purpose): False}
    changed = _save(customer_id, message_id, wanted, source=source, now=now)
    if changed and message_id:
        execute(
            sql(
                """INSERT INTO hit (kind, message_id, customer_id, at, machine, user_agent, method)
                VALUES ('unsubscribe', {message}, {customer}, {now}, false, {agent}, 'POST')""",
                message=message_id,
                customer=customer_id,
                now=now,
                agent=user_agent or None,
            )
        )
    return bool(changed)


@transaction.atomic
def save_preferences(
    *, customer_id: int, message_id: int, wanted: Mapping[tuple[str, str], bool], source: str, now: datetime
) -> int:
    """Bring consent to what the person chose: (channel, purpose) -> wanted; how many of them changed.

    What stays as it was gets no entry, nor does an empty box for what was never granted. Withdrawing the marketing that
    the page was reached from is an unsubscription of that message too.
    """
    current = queries.choices(customer_id)
    wanted = {key: choice for key, choice in wanted.items() if choice or key in current}
    return _save(customer_id, message_id, wanted, source=source, now=now)


@transaction.atomic
def save_page(
    *,
    customer_id: int,
    message_id: int,
    wanted: Mapping[tuple[str, str], bool],
    chosen: Choices,
    objects: bool,
    source: str,
    now: datetime,
) -> int:
    """Everything that the preference page says, in one transaction; how many choices changed.

    `objects`: who gets advertising as an existing customer has no consent to withdraw, so the objection is recorded for
    every channel that `wanted` names.
    """
    if objects:
        changed = _save(customer_id, message_id, _objections(customer_id, wanted), source=source, now=now)
    else:
        changed = save_preferences(
            customer_id=customer_id, message_id=message_id, wanted=wanted, source=source, now=now
        )
    evidence = {"message_id": message_id} if message_id else None
    return changed + choices.save(customer_id=customer_id, choices=chosen, source=source, evidence=evidence, now=now)


def _objections(customer_id: int, wanted: Mapping[tuple[str, str], bool]) -> dict[tuple[str, str], bool]:
    known = queries.choices(customer_id)
    based = {(basis["channel"], "marketing") for basis in existing.bases_of(customer_id)}
    return {key: False for key in {*wanted, *based} if key in known or key in based}


def confirm(request_id: UUID, *, ip: str | None, user_agent: str | None, now: datetime) -> Confirmed:
    """Confirm a double opt-in; see `optin.confirm`."""
    return optin.confirm(request_id, ip=ip, user_agent=user_agent, now=now)


def _save(
    customer_id: int, message_id: int, wanted: Mapping[tuple[str, str], bool], *, source: str, now: datetime
) -> int:
    # The same lock as the send guard takes: no message starts after this opt-out has committed.
    if not fetch(sql("SELECT id FROM customer WHERE id = {id} FOR UPDATE", id=customer_id)):
        return 0
    current = queries.choices(customer_id)
    statuses = {key: "granted" if choice else "withdrawn" for key, choice in wanted.items()}
    changes = {key: status for key, status in statuses.items() if current.get(key) != status}
    if not changes:
        return 0
    evidence = {"message_id": message_id} if message_id else {}
    record_consent(
        [
            ConsentEntry(
                customer_id=customer_id,
                channel=channel,
                purpose=purpose,
                status=status,
                source=source,
                at=now,
                evidence=evidence,
            )
            for (channel, purpose), status in sorted(changes.items())
        ],
        now=now,
    )
    optin.tell(customer_id, [(*key, status) for key, status in sorted(changes.items())], source, now)
    if message_id and changes.get((queries.message_channel(message_id) or "", "marketing")) == "withdrawn":
        facts.write(
            "message.unsubscribed",
            sql(
                """SELECT {customer}::bigint, {now}::timestamptz, {message}::bigint,
                    jsonb_build_object('source', {source}::text)""",
                customer=customer_id,
                now=now,
                message=message_id,
                source=source,
            ),
        )
    return len(changes)
