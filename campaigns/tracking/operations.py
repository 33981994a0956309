"""Writes what readers did: hits and their facts as sets, opt-outs and preferences one person at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from campaigns.tracking import queries
from campaigns.tracking.machines import JUDGE_AFTER_SECONDS, SCAN_SECONDS
from campaigns.tracking.models import Hit
from campaigns.tracking.targets import is_target
from loyalty.consent.entries import ConsentEntry
from loyalty.consent.operations import record as record_consent
from loyalty.events import facts
from loyalty.kit.sql import Sql, execute, fetch, sql

# The purposes that a person can withdraw; a link in a transactional message ends advertising, its only voluntary part.
WITHDRAWABLE = ("marketing", "service", "tracking", "profiling")
# Claimed per call of the chore: 5,000 hits took 60 ms.
MOST_JUDGED = 5000
NO_LINKS = queries.Links()


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


@transaction.atomic
def record(requests: Sequence[Request]) -> list[Answer]:
    """Store hits and, for people's, the facts `message.clicked` and `message.opened`; one answer each, in order.

    Who has no consent to tracking any more is sent on and leaves no trace. A click in a mail with several links waits
    for `judge`, which knows whether the other links were fetched too. Three statements, whatever the number.
    """
    messages = queries.hit_messages({request.message_id for request in requests})
    links = queries.links(message.version_id for message in messages.values())
    answers, rows = [], []
    for request in requests:
        message = messages.get(request.message_id)
        own = links.get(message.version_id, NO_LINKS) if message else NO_LINKS
        url = request.url
        if request.link is not None:
            url = own.urls[request.link] if request.link < len(own.urls) else None
        if request.kind == Hit.Kind.CLICK and not (url and is_target(url)):
            answers.append(Answer(None, recorded=False))
            continue
        recorded = message is not None and message.tracked
        answers.append(Answer(url, recorded))
        if message is not None and recorded:
            unsure = request.kind == Hit.Kind.CLICK and own.several
            machine = True if request.machine else None if unsure else False
            rows.append((request, message.customer_id, url, machine))
    if rows:
        _insert(rows)
    return answers


def _insert(rows: Sequence[tuple[Request, int, str | None, bool | None]]) -> None:
    stored = sql(
        """stored AS (
            INSERT INTO hit (kind, message_id, customer_id, link, url, at, machine, user_agent, method)
            SELECT * FROM unnest({kinds}::text[], {messages}::bigint[], {customers}::bigint[], {links}::smallint[],
                {urls}::text[], {ats}::timestamptz[], {machines}::boolean[], {agents}::text[], {methods}::text[])
            RETURNING kind, message_id, customer_id, link, url, at, machine)""",
        kinds=[request.kind for request, *_ in rows],
        messages=[request.message_id for request, *_ in rows],
        customers=[customer for _, customer, *_ in rows],
        links=[request.link for request, *_ in rows],
        urls=[url for _, _, url, _ in rows],
        ats=[request.at for request, *_ in rows],
        machines=[machine for *_, machine in rows],
        agents=[request.user_agent or None for request, *_ in rows],
        methods=[request.method for request, *_ in rows],
    )
    written = [stored]
    for kind, fact in ((Hit.Kind.CLICK, "message.clicked"), (Hit.Kind.OPEN, "message.opened")):
        if any(request.kind == kind and machine is False for request, _, _, machine in rows):
            written.append(facts.ctes(f"fact_{kind}", fact, _people(sql("stored"), kind)))
    execute(sql("WITH {ctes} SELECT", ctes=sql(", ").join(written)))


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
