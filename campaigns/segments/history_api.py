"""Over HTTP: who was in a segment when, its size over time, and what another rule would change."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from django.conf import settings
from django.http import Http404, HttpRequest
from ninja import Field, Query, Router, Schema
from pydantic import AwareDatetime, ConfigDict

from campaigns.segments import history, queries
from campaigns.segments.differing import Difference
from campaigns.segments.models import Segment
from loyalty.access.auth import ApiAuth
from loyalty.customers import queries as customers
from loyalty.kit import clock
from loyalty.kit.problems import Problem, Problems

router = Router(tags=["segments"])

USUAL = {"hour": timedelta(days=2), "day": timedelta(days=90)}
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
MOST_AHEAD = timedelta(days=366)


class SegmentHistoryQuery(Schema):
    step: Literal["hour", "day"] = Field("day", description="Days are those of the installation's time zone.")
    start: AwareDatetime | None = Field(None, alias="from", description="Unset: 90 days (or 48 hours) back.")
    end: AwareDatetime | None = Field(None, alias="to", description="Unset: now.")


class SizeOut(Schema):
    at: datetime = Field(description="Where the hour or day begins.")
    members: int = Field(description="At its end.")
    joined: int
    left: int


class DefinitionOut(Schema):
    at: datetime
    rule: dict[str, Any]


class SegmentHistoryOut(Schema):
    segment: str
    sizes: list[SizeOut] = Field(description="Oldest first; from the first build on, at most 400.")
    definitions: list[DefinitionOut] = Field(description="The rules it had, latest first.")


class StayOut(Schema):
    segment: str
    since: datetime
    until: datetime | None = Field(description="The first instant of being out; null: still in.")


class StaysOut(Schema):
    segment: str
    customer: str
    is_member: bool
    stays: list[StayOut] = Field(description="Latest first.")


class DiffIn(Schema):
    model_config = ConfigDict(extra="forbid")

    kind: str = Field("segment", description="A whole segment document may be sent; only its rule counts.")
    key: str | None = None
    name: dict[str, str] | str = ""
    description: str | None = None
    rule: dict[str, Any]
    sample: int = Field(queries.SAMPLE, ge=0, le=100)


class EstimateOut(Schema):
    count: int
    low: int
    high: int


class SomebodyOut(Schema):
    id: int
    external_id: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    country: str | None


class UseOut(Schema):
    segment: str
    kind: str = Field(description="flow, segment, ...")
    key: str
    how: str = Field(description="joined, left, members or asked.")
    active: bool
    name: str | None


class CostOut(Schema):
    build_ms: int = Field(description="One look at everybody.")
    events_a_day: int = Field(description="Events of the last day that would make it look at somebody again.")
    scans: bool = Field(description="Whether the clock alone changes answers: everybody is looked at every hour.")


class DiffOut(Schema):
    before: int
    after: EstimateOut
    joins: EstimateOut
    leaves: EstimateOut
    exact: bool = Field(description="False: reckoned from some customers, because all would take too long.")
    joining: list[SomebodyOut]
    leaving: list[SomebodyOut]
    begins: list[UseOut] = Field(description="What runs now and would begin for those who join or leave.")
    outer: list[str] = Field(description="The segments that refer to this one and would follow.")
    cost: CostOut


@router.get("/segments/{key}/history", response=SegmentHistoryOut, auth=ApiAuth("segments:read"))
def segment_history(request: HttpRequest, key: str, query: Query[SegmentHistoryQuery]) -> dict[str, Any]:
    """How the size went, hour by hour or day by day, and which rules the segment had."""
    segment = segment_of(key)
    end = query.end or clock.now()
    start = query.start or max(end - USUAL[query.step], EARLIEST) if end > EARLIEST else end
    if start > end:
        raise Problems([Problem("from", "is after 'to'", "swap them")])
    for where, instant in (("from", start), ("to", end)):
        if not EARLIEST <= instant <= clock.now() + MOST_AHEAD:
            raise Problems([Problem(where, "is before 1990 or far ahead", "choose a time nearer to now")])
    sizes = history.sizes(segment.id, start=start, end=end, step=query.step, zone=settings.TIME_ZONE)
    return {"segment": key, "sizes": sizes, "definitions": history.definitions(segment.id)}


@router.get("/segments/{key}/history/{external_id}", response=StaysOut, auth=ApiAuth("segments:read"))
def customer_history(request: HttpRequest, key: str, external_id: str) -> dict[str, Any]:
    """When this customer was in the segment."""
    segment = segment_of(key)
    customer_id = customers.resolve([external_id])[0]
    if customer_id is None:
        raise Http404(f"No customer has the external id {external_id!r}.")
    stays = history.stays(customer_id, segment.id)
    return {
        "segment": key,
        "customer": external_id,
        "is_member": any(stay.until is None for stay in stays),
        "stays": stays,
    }


@router.post("/segments/{key}/diff", response=DiffOut, auth=ApiAuth("segments:read"))
def diff_segment(request: HttpRequest, key: str, body: DiffIn) -> Difference:
    """What saving this rule would change: who joins and leaves, what begins for them, what it costs."""
    segment = segment_of(key)
    rule = queries.checked(body.rule)
    problems = queries.cycle_problems(key, rule)
    if problems:
        raise Problems(problems)
    return queries.diff(rule, segment.id, now=clock.now(), sample=body.sample)


def segment_of(key: str) -> Segment:
    """The segment with that key; raises Http404."""
    segment = Segment.objects.filter(key=key).first()
    if segment is None:
        raise Http404(f"There is no segment {key!r}.")
    return segment
