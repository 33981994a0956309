"""Events over HTTP: batches in, timelines out."""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest
from ninja import Body, Field, Query, Router, Schema, Status
from pydantic import AwareDatetime, ConfigDict, WithJsonSchema

from loyalty.access.auth import ApiAuth
from loyalty.customers import queries as customers
from loyalty.events import catalog, operations, queries, queue, wording
from loyalty.events.incoming import ID_LENGTH, PROPERTIES_BYTES, PROPERTIES_DEPTH
from loyalty.events.models import EventType
from loyalty.events.names import NAME_LENGTH, fold
from loyalty.kit import clock
from loyalty.kit.applying import put_document
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


class EventProblemOut(Schema):
    where: str
    problem: str


class RejectedEvent(Schema):
    index: int
    problems: list[EventProblemOut]


class EventsOut(Schema):
    accepted: int
    duplicates: int
    rejected: list[RejectedEvent]


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
    group: list[Literal["message", "campaign", "consent", "loyalty", "web", "other"]] = Field(
        [], description="Only events of these kinds; may be repeated.", max_length=10
    )
    channel: str = Field("", description="Only what happened on this channel, such as email.", max_length=20)
    text: str = Field("", description="Only events whose name or properties contain this.", max_length=100)
    since: AwareDatetime | None = Field(None, alias="from", description="From this instant on.")
    until: AwareDatetime | None = Field(None, alias="to", description="Before this instant.")
    after: str | None = Field(None, max_length=100, description="`next` of the page before.")
    cursor: str | None = Field(None, max_length=100, description="The same as `after`.")
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
    """Newest first, `from` <= occurred_at < `to`; pass on `next` as `after` until it is null."""
    customer_id = customers.resolve([external_id])[0]
    if customer_id is None:
        raise Http404(f"No customer has the external id {external_id!r}.")
    return queries.timeline(
        customer_id,
        names=_asked_names(query),
        since=query.since,
        until=query.until,
        channel=query.channel,
        text=query.text,
        after=query.after or query.cursor,
        limit=query.limit,
    )


def _asked_names(query: TimelineQuery) -> list[str] | None:
    """The names that both filters leave; None for all."""
    if not query.group:
        return query.name or None
    of_groups = wording.names_in(set(query.group), EventType.objects.values_list("name", flat=True))
    return [name for name in of_groups if not query.name or name in {fold(one) for one in query.name}]


class PropertyOut(Schema):
    property: str
    type: str
    seen: int = Field(description="How many of the newest `sampled` events had it in this type.")
    declared: bool


class EventTypeOut(Schema):
    name: str
    internal: bool = Field(description="Written by the system itself.")
    locked: bool
    retention: str | None
    first_seen_at: datetime
    sampled: int
    properties: list[PropertyOut]


class EventTypesOut(Schema):
    event_types: list[EventTypeOut]


@router.get("/event-types", response=EventTypesOut, auth=ApiAuth("events:read"), summary="Which events there are")
def read_types(request: HttpRequest) -> dict[str, Any]:
    """Every name, with the properties that its newest events had."""
    return {"event_types": queries.learned_types()}


@router.get("/event-types/{key}", auth=ApiAuth("events:read"), summary="A type of event as a document")
def read_type(request: HttpRequest, key: str) -> dict[str, Any]:
    """As `apply` takes it."""
    found = EventType.objects.filter(name=fold(key)).first()
    if found is None:
        raise Http404(f"No event is named {key!r}.")
    return catalog.document_of(found)


class EventTypeChangeOut(Schema):
    verdict: str = Field(description="created, updated or unchanged")


@router.put(
    "/event-types/{key}", response=EventTypeChangeOut, auth=ApiAuth("events:write"), summary="Define a type of event"
)
def put_type(request: HttpRequest, key: str, body: Body[dict[str, Any]]) -> dict[str, str]:
    """The same as `apply` of a document of kind `event_type`: name, description, properties, locked, retention."""
    document = {name: value for name, value in body.items() if value is not None}
    return {"verdict": put_document("event_type", key, document, now=clock.now()).verdict}
