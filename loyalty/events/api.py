"""Events over HTTP: batches in, timelines out."""

from datetime import datetime
from typing import Annotated, Any

from django.http import Http404, HttpRequest
from ninja import Field, Query, Router, Schema, Status
from pydantic import AwareDatetime, ConfigDict, WithJsonSchema

from loyalty.access.auth import ApiAuth
from loyalty.customers import queries as customers
from loyalty.events import operations, queries, queue
from loyalty.events.incoming import ID_LENGTH, PROPERTIES_BYTES, PROPERTIES_DEPTH
from loyalty.events.names import NAME_LENGTH
from loyalty.kit import clock
from loyalty.kit.errors import ApiError
from loyalty.kit.problems import Problem

router = Router(tags=["events"])

# A batch of this size is taken in 0.15 s; more would hold its locks and its memory for too long.
LARGEST_BATCH = 5000

# The shape is only described here: each event is checked by itself, so that one bad event does not refuse the others.
EVENT_SCHEMA = {
    "type": "object",
    "required": ["customer", "name"],
    "additionalProperties": False,
    "properties": {
        "id": {
            "type": ["string", "integer", "null"],
            "maxLength": ID_LENGTH,
            "description": "The sender's own id; sent again, the event is a duplicate. Without it, always new.",
        },
        "customer": {
            "description": "External id, or one identity such as {'email': ...}, {'card': ...}, {'anonymous_id': ...}.",
            "oneOf": [
                {"type": "string", "maxLength": ID_LENGTH},
                {"type": "integer"},
                {"type": "object", "minProperties": 1, "maxProperties": 1},
            ],
        },
        "name": {"type": "string", "pattern": rf"^\s*[A-Za-z0-9_.:-]{{1,{NAME_LENGTH}}}\s*$"},
        "occurred_at": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "ISO 8601 with offset, from 1990 to a day ahead; now if not given.",
        },
        "properties": {
            "type": ["object", "null"],
            "description": f"At most {PROPERTIES_BYTES // 1024} KB of JSON, {PROPERTIES_DEPTH} levels deep.",
        },
    },
}


class EventsIn(Schema):
    model_config = ConfigDict(extra="forbid")

    events: list[Annotated[Any, WithJsonSchema(EVENT_SCHEMA)]]


class ProblemOut(Schema):
    where: str
    problem: str


class Rejected(Schema):
    index: int
    problems: list[ProblemOut]


class EventsOut(Schema):
    accepted: int
    duplicates: int
    rejected: list[Rejected]


class TimelineEventOut(Schema):
    id: int
    name: str
    occurred_at: datetime
    received_at: datetime
    ref: int | None = Field(
        description="For facts of the system itself: the message, enrollment or segment it is about."
    )
    properties: dict[str, Any]


class TimelineOut(Schema):
    events: list[TimelineEventOut]
    next: str | None = Field(description="The cursor of the next page; null at the end.")


class TimelineQuery(Schema):
    name: list[str] = Field([], description="Only these events; may be repeated.", max_length=100)
    since: AwareDatetime | None = Field(None, alias="from", description="From this instant on.")
    until: AwareDatetime | None = Field(None, alias="to", description="Before this instant.")
    cursor: str | None = Field(None, max_length=100)
    limit: int = Field(queries.PAGE, ge=1, le=queries.LARGEST_PAGE)


@router.post("/events/batch", response={202: EventsOut}, auth=ApiAuth("events:write"), summary="Send events")
def send_events(request: HttpRequest, body: EventsIn) -> Status[dict[str, Any]]:
    """Up to 5,000 a call. Good ones are stored durably when this answers, bad ones come back with every mistake."""
    if len(body.events) > LARGEST_BATCH:
        found = Problem("events", f"has {len(body.events):,} events", f"send at most {LARGEST_BATCH:,} a call")
        raise ApiError(413, "The batch is too large.", [found])
    taken = operations.intake(events=body.events, now=clock.now())
    queue.wake()
    rejected = [
        {"index": index, "problems": [problem.within(f"events[{index}]").as_dict() for problem in problems]}
        for index, problems in taken.rejected
    ]
    return Status(202, {"accepted": taken.accepted, "duplicates": taken.duplicates, "rejected": rejected})


@router.get(
    "/customers/{external_id}/timeline",
    response=TimelineOut,
    auth=ApiAuth("events:read"),
    summary="What happened to one",
)
def read_timeline(request: HttpRequest, external_id: str, query: Query[TimelineQuery]) -> queries.TimelinePage:
    """Newest first, `from` <= occurred_at < `to`; pass on `next` as `cursor` until it is null."""
    customer_id = customers.resolve([external_id])[0]
    if customer_id is None:
        raise Http404(f"No customer has the external id {external_id!r}.")
    return queries.timeline(
        customer_id,
        names=query.name,
        since=query.since,
        until=query.until,
        after=query.cursor,
        limit=query.limit,
    )
