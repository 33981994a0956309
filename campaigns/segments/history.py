"""Who was in a segment when, and how its size went.

Open memberships stand in `segment_member`, closed ones in `segment_past`; somebody was in at an instant when
`since <= instant < until`. History begins with the first build.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from campaigns.segments.models import SegmentDefinition
from loyalty.kit.sql import Sql, fetch, sql

# Points of one answer: a year of days.
MOST_POINTS = 400
STEPS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class Stay:
    """That a customer was in a segment from `since` until just before `until` (None: still is)."""

    segment: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class WasMember:
    """One who was in at the asked instant; `until` None: has not left since."""

    customer_id: int
    external_id: str | None
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Size:
    """Members at the end of the hour or day that begins at `at` (or now, where it is not over), and who moved in it."""

    at: datetime
    members: int
    joined: int
    left: int


@dataclass(frozen=True, slots=True)
class Definition:
    """The rule a segment had from `at` on."""

    at: datetime
    rule: dict[str, Any]


def stays(customer_id: int, segment_id: int | None = None) -> list[Stay]:
    """When the customer was in segments (or in this one), latest first."""
    one = Sql("") if segment_id is None else sql(" AND segment_id = {id}", id=segment_id)
    query = sql(
        """SELECT s.key, x.since, x.until FROM (
            SELECT segment_id, since, NULL::timestamptz AS until FROM segment_member WHERE customer_id = {id}{one}
            UNION ALL SELECT segment_id, since, until FROM segment_past WHERE customer_id = {id}{one}
        ) x JOIN segment s ON s.id = x.segment_id ORDER BY x.since DESC, s.key""",
        id=customer_id,
        one=one,
    )
    return [Stay(*row) for row in fetch(query)]


def members_at(segment_id: int, at: datetime, *, after: int = 0, limit: int = 100) -> list[WasMember]:
    """A page of those who were in at that instant, in the order of their ids, those beyond `after`."""
    query = sql(
        """SELECT x.customer_id, c.external_id, x.since, x.until FROM (
            (SELECT customer_id, since, NULL::timestamptz AS until FROM segment_member
            WHERE segment_id = {segment} AND customer_id > {after} AND since <= {at} ORDER BY customer_id LIMIT {limit})
            UNION ALL
            (SELECT customer_id, since, until FROM segment_past
            WHERE segment_id = {segment} AND customer_id > {after} AND since <= {at} AND until > {at}
            ORDER BY customer_id LIMIT {limit})
        ) x LEFT JOIN customer c ON c.id = x.customer_id ORDER BY x.customer_id LIMIT {limit}""",
        segment=segment_id,
        after=after,
        at=at,
        limit=limit,
    )
    return [WasMember(*row) for row in fetch(query)]


def size_at(segment_id: int, at: datetime) -> int:
    """How many were in at that instant; reads the segment's members and past once."""
    query = sql(
        """SELECT (SELECT count(*) FROM segment_member WHERE segment_id = {segment} AND since <= {at})
            + (SELECT count(*) FROM segment_past WHERE segment_id = {segment} AND since <= {at} AND until > {at})""",
        segment=segment_id,
        at=at,
    )
    return int(fetch(query)[0][0])


def sizes(segment_id: int, *, start: datetime, end: datetime, step: str = "day", zone: str = "UTC") -> list[Size]:
    """The size at the end of each hour or day from `start` to `end`, those without a move between carried on; the
    newest `MOST_POINTS`. Hours of before the first build are left out.
    """
    query = sql(
        """WITH noted AS (
            SELECT date_trunc({step}, hour, {zone}) AS at, (array_agg(members ORDER BY hour DESC))[1] AS members,
                sum(joined) AS joined, sum("left") AS gone
            FROM segment_size WHERE segment_id = {segment} AND hour <= {end} GROUP BY 1
        ), points AS (
            SELECT p AS at FROM generate_series(date_trunc({step}, {start}::timestamptz, {zone}),
                {end}::timestamptz, {length}::interval, {zone}) p
        )
        SELECT p.at, n.members, coalesce(m.joined, 0), coalesce(m.gone, 0)
        FROM points p LEFT JOIN noted m ON m.at = p.at
        CROSS JOIN LATERAL (SELECT members FROM noted WHERE noted.at <= p.at ORDER BY noted.at DESC LIMIT 1) n
        ORDER BY p.at DESC LIMIT {most}""",
        segment=segment_id,
        step=step,
        length=f"1 {step}",
        zone=zone,
        start=max(start, end - MOST_POINTS * STEPS[step]),
        end=end,
        most=MOST_POINTS,
    )
    return [Size(at, members, int(joined), int(gone)) for at, members, joined, gone in reversed(fetch(query))]


def definitions(segment_id: int) -> list[Definition]:
    """The rules the segment had, latest first: who moved at such an instant moved because of it."""
    found = SegmentDefinition.objects.filter(segment_id=segment_id).order_by("-at", "-id")
    return [Definition(one.at, one.rule) for one in found[:MOST_POINTS]]
