"""Silent consents: who has given no sign of life on a channel for years is told of, and after longer not written to.

Opens are no sign: programs make them. Signs are the consent itself, choices on the preference page, and the events of
CONSENT_SIGNS; those of messages count for the channel of their message, all others for every channel.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from loyalty.consent.models import AgeingPass
from loyalty.events import facts
from loyalty.events.types import known
from loyalty.kit.sql import Sql, execute, fetch, fetch_dicts, sql

# People of one call, so that it stays short whatever the size of the store.
SLICE = 20_000
# A block never comes as a surprise: somebody can see the person on the list for so long before. It also keeps a store
# that has just been filled, and knows no events yet, from blocking everybody at once.
NOTICE_DAYS = 30
END = 2**63 - 1
_CHANNEL_NUMBER = Sql(
    "(CASE k.channel WHEN 'email' THEN 1 WHEN 'sms' THEN 2 WHEN 'whatsapp' THEN 3 WHEN 'telegram' THEN 4"
    " WHEN 'push' THEN 5 WHEN 'letter' THEN 6 WHEN 'webhook' THEN 7 ELSE 0 END)"
)


@transaction.atomic
def look(*, now: datetime) -> int:
    """Go on with the day's look through all marketing consents; the number of people looked at, 0 when it is done."""
    if settings.CONSENT_WARN_MONTHS <= 0:
        return 0
    day = now.date()
    AgeingPass.objects.get_or_create(day=day)
    state = AgeingPass.objects.select_for_update(skip_locked=True).filter(day=day, finished_at__isnull=True).first()
    if state is None:
        return 0
    rows = fetch(_slice(state.cursor, now))
    last, seen, warned, blocked = rows[0]
    over = seen < SLICE
    _forget(state.cursor, END if over else int(last), now)
    state.warned += warned
    state.blocked += blocked
    state.cursor = state.cursor if last is None else int(last)
    state.finished_at = now if over else None
    state.save()
    return int(seen)


def _slice(cursor: int, now: datetime) -> Sql:
    """Judge the next people by id: one statement, which tells (last id, people, newly warned, newly blocked)."""
    names = known([name.strip().lower() for name in settings.CONSENT_SIGNS])
    bound = [number for name, number in names.items() if name.startswith("message.")]
    return sql(
        """WITH due AS MATERIALIZED (
            SELECT k.customer_id, k.channel, k.since FROM consent_state k
            WHERE k.customer_id > {cursor} AND k.purpose = 'marketing' AND k.status = 'granted' AND k.since < {warn}
            ORDER BY k.customer_id FETCH FIRST {slice} ROWS WITH TIES
        ), signed AS MATERIALIZED (
            SELECT k.customer_id, k.channel, k.since, greatest(k.since, s.at, (
                SELECT max(ce.occurred_at) FROM choice_entry ce WHERE ce.customer_id = k.customer_id)) AS sign
            FROM due k CROSS JOIN LATERAL (
                SELECT max(v.occurred_at) AS at FROM (
                    SELECT v.type_id, v.occurred_at, v.ref FROM event v WHERE v.customer_id = k.customer_id
                    AND v.occurred_at > {block} AND v.occurred_at <= {now} OFFSET 0) v
                WHERE v.type_id = ANY({free}) OR (v.type_id = ANY({bound}) AND (v.ref & 7) = {number})) s
        ), warned AS (
            INSERT INTO consent_age AS a (customer_id, channel, sign_at, warned_at, blocked_at)
            SELECT customer_id, channel, sign, {now}, NULL FROM signed WHERE sign < {warn}
            ON CONFLICT (customer_id, channel) DO UPDATE SET sign_at = excluded.sign_at, blocked_at = {now}
            WHERE a.blocked_at IS NULL AND {blocks} AND excluded.sign_at < {block} AND a.warned_at <= {noticed}
            RETURNING customer_id, channel, sign_at, blocked_at, (xmax = 0) AS fresh
        ), marked AS (
            INSERT INTO customer_change (customer_id) SELECT DISTINCT customer_id FROM warned
        ), {warnings}, {blocks_told}
        SELECT (SELECT max(customer_id) FROM due), (SELECT count(*) FROM due),
            (SELECT count(*) FROM warned WHERE fresh), (SELECT count(*) FROM warned WHERE blocked_at IS NOT NULL)""",
        cursor=cursor,
        warn=_before(settings.CONSENT_WARN_MONTHS, now),
        block=_before(settings.CONSENT_BLOCK_MONTHS or 1200, now),
        blocks=settings.CONSENT_BLOCK_MONTHS > 0,
        slice=SLICE,
        noticed=sql("({now}::timestamptz - make_interval(days => {days}))", now=now, days=NOTICE_DAYS),
        now=sql("{now}::timestamptz", now=now),
        free=sorted(set(names.values()) - set(bound)),
        bound=bound,
        number=_CHANNEL_NUMBER,
        warnings=facts.ctes("told_warned", "consent.ageing", _told("fresh", now)),
        blocks_told=facts.ctes("told_blocked", "consent.expired", _told("blocked_at IS NOT NULL", now)),
    )


def _told(which: str, now: datetime) -> Sql:
    return sql(
        "SELECT customer_id, {now}::timestamptz, NULL::bigint,"
        " jsonb_build_object('channel', channel, 'last_sign', sign_at) FROM warned WHERE {which}",
        now=now,
        which=Sql(which),
    )


def _before(months: int, now: datetime) -> Sql:
    return sql("({now}::timestamptz - make_interval(months => {months}))", now=now, months=months)


def _forget(after: int, until: int, now: datetime) -> int:
    """Take off the list who of this range is silent no more: heard of again, consented anew, or withdrawn.

    A block is ended by a new consent only.
    """
    return execute(
        sql(
            """DELETE FROM consent_age a WHERE a.customer_id > {after} AND a.customer_id <= {until} AND (
                NOT EXISTS (SELECT FROM consent_state k WHERE k.customer_id = a.customer_id AND k.channel = a.channel
                    AND k.purpose = 'marketing' AND k.status = 'granted'
                    AND k.since <= coalesce(a.blocked_at, k.since) AND k.since < {warn})
                OR (a.blocked_at IS NULL AND {heard}))""",
            after=after,
            until=until,
            warn=_before(settings.CONSENT_WARN_MONTHS, now),
            heard=_heard(now),
        )
    )


def _heard(now: datetime) -> Sql:
    """Whether somebody on the list gave a sign since the warning's border."""
    names = known([name.strip().lower() for name in settings.CONSENT_SIGNS])
    bound = [number for name, number in names.items() if name.startswith("message.")]
    return sql(
        """(EXISTS (SELECT FROM (SELECT v.type_id, v.ref FROM event v WHERE v.customer_id = a.customer_id
                AND v.occurred_at > {warn} AND v.occurred_at <= {now}::timestamptz OFFSET 0) v
            WHERE v.type_id = ANY({free}) OR (v.type_id = ANY({bound}) AND (v.ref & 7) = {number}))
        OR EXISTS (SELECT FROM choice_entry ce WHERE ce.customer_id = a.customer_id AND ce.occurred_at > {warn}))""",
        warn=_before(settings.CONSENT_WARN_MONTHS, now),
        now=now,
        free=sorted(set(names.values()) - set(bound)),
        bound=bound,
        number=Sql(_CHANNEL_NUMBER.text.replace("k.channel", "a.channel")),
    )


def summary() -> dict[str, Any]:
    """The list in numbers: by channel how many are warned of and how many of them blocked, and the last look."""
    rows = fetch(
        "SELECT channel, count(*), count(blocked_at), min(sign_at) FROM consent_age GROUP BY channel ORDER BY channel"
    )
    return {
        "channels": [
            {"channel": channel, "silent": silent, "blocked": blocked, "oldest": oldest}
            for channel, silent, blocked, oldest in rows
        ],
        "last": AgeingPass.objects.filter(finished_at__isnull=False).order_by("-day").first(),
    }


@dataclass(frozen=True, slots=True)
class People:
    """One page of the list; `following` names where the next begins, '' at the end."""

    rows: list[dict[str, Any]]
    following: str


def people(*, after: str = "", limit: int = 50) -> People:
    """The people of the list by customer and channel, from behind `after` ("<customer>.<channel>") on."""
    number, _, channel = after.partition(".")
    customer_id = int(number) if number.isascii() and number.isdecimal() and len(number) < 19 else 0
    rows = fetch_dicts(
        sql(
            """SELECT a.customer_id, a.channel, a.sign_at, a.warned_at, a.blocked_at, c.external_id
            FROM consent_age a LEFT JOIN customer c ON c.id = a.customer_id
            WHERE (a.customer_id, a.channel) > ({customer}, {channel})
            ORDER BY a.customer_id, a.channel LIMIT {limit}""",
            customer=customer_id,
            channel=channel[:20],
            limit=limit + 1,
        )
    )
    last = rows[limit - 1] if len(rows) > limit else None
    return People(rows[:limit], f"{last['customer_id']}.{last['channel']}" if last else "")
