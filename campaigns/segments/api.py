"""Segments over HTTP."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest
from ninja import Field, Query, Router, Schema, Status
from pydantic import AwareDatetime, ConfigDict

from campaigns.segments import history, history_api, lists_api, queries, tree
from campaigns.segments.history_api import segment_of
from campaigns.segments.models import Segment
from campaigns.segments.operations import delete_segment
from loyalty.access.auth import ApiAuth
from loyalty.customers import queries as customers
from loyalty.kit import clock
from loyalty.kit.applying import put_document

router = Router(tags=["segments"])
router.add_router("", lists_api.router)
router.add_router("", history_api.router)

LARGEST_PAGE = 1000
SHOWN_ONLY = {"member_count", "built_at", "build_ms", "rebuild_at", "problem"}


class SegmentIn(Schema):
    model_config = ConfigDict(extra="forbid")

    kind: str = "segment"
    key: str | None = None
    name: dict[str, str] | str = Field({}, description="Texts by language, or one text.")
    description: str | None = None
    # GET adds these: what was read may be put back as it is.
    member_count: Any = None
    built_at: Any = None
    build_ms: Any = None
    rebuild_at: Any = None
    problem: Any = None
    rule: dict[str, Any] = Field(description="As in a segment document: {all: [{attribute: country, in: [DE]}]}.")


class SegmentOut(Schema):
    key: str
    name: dict[str, str]
    description: str | None
    rule: dict[str, Any]
    member_count: int | None = Field(description="Null until the first build.")
    built_at: datetime | None
    build_ms: int | None = Field(description="What the last look at everybody took.")
    rebuild_at: datetime | None = Field(description="When everybody is looked at again; null: changes are followed.")
    problem: str | None = Field(description="Why the last build failed.")


class SegmentsOut(Schema):
    segments: list[SegmentOut]
    next: str | None = Field(description="Pass on as `after`; null at the end.")


class SegmentsQuery(Schema):
    after: str = ""
    limit: int = Field(100, ge=1, le=LARGEST_PAGE)


class GraphNodeOut(Schema):
    kind: str = Field(description="segment, event, list, flow, ...")
    key: str
    name: dict[str, str] | str | None
    level: int = Field(description="-1: is read by segments; then segments by what they refer to; then who uses them.")
    members: int | None
    build_ms: int | None
    built_at: datetime | None
    problem: str | None


class GraphEdgeOut(Schema):
    from_kind: str
    from_key: str
    to_kind: str
    to_key: str
    how: str = Field(description="joined, left, members or asked.")


class GraphOut(Schema):
    nodes: list[GraphNodeOut]
    edges: list[GraphEdgeOut]


class PreviewIn(Schema):
    model_config = ConfigDict(extra="forbid")

    kind: str = Field("segment", description="A whole segment document may be sent; only its rule counts.")
    key: str | None = None
    name: dict[str, str] | str = ""
    description: str | None = None
    rule: dict[str, Any]
    sample: int = Field(queries.SAMPLE, ge=0, le=100)
    exact: bool = Field(False, description="Count everybody, however long it takes (up to 10 s).")


class NodeCountOut(Schema):
    where: str = Field(description="The place in the rule, such as rule.all[1].")
    sentence: str
    count: int
    low: int
    high: int


class SegmentPersonOut(Schema):
    id: int
    external_id: str | None
    first_name: str | None
    last_name: str | None
    email: str | None
    country: str | None


class PreviewOut(Schema):
    count: int
    low: int = Field(description="From here to `high` lies the true count in 95 of 100 cases.")
    high: int
    exact: bool = Field(description="Whether `count` was counted, not estimated. Inner nodes: where low is high.")
    looked_at: int = Field(description="How many customers were looked at.")
    total: int
    sample: list[SegmentPersonOut]
    nodes: list[NodeCountOut]


class SegmentMemberOut(Schema):
    customer_id: int
    external_id: str | None
    since: datetime
    until: datetime | None = Field(None, description="With `at`: when the customer left since; null: has not.")


class MembersOut(Schema):
    members: list[SegmentMemberOut]
    count: int | None = Field(description="With `at`: of that instant, on the first page only.")
    next: int | None = Field(description="Pass on as `after`; null at the end.")


class MembersQuery(Schema):
    after: int = Field(0, ge=0, le=2**63 - 1)
    limit: int = Field(100, ge=1, le=LARGEST_PAGE)
    at: AwareDatetime | None = Field(None, description="Who was in at that instant; unset: who is in.")


class NodeVerdictOut(Schema):
    where: str
    sentence: str
    matches: bool
    value: str | None


class ExplanationOut(Schema):
    segment: str
    customer: str
    matches: bool = Field(description="By the data of now.")
    member_since: datetime | None = Field(description="What is stored; null when not a member.")
    nodes: list[NodeVerdictOut]


# Before {key}, which would match its address too.
@router.post("/segments/preview", response=PreviewOut, auth=ApiAuth("segments:read"))
def preview_segment(request: HttpRequest, body: PreviewIn) -> queries.Preview:
    """Who a rule would hold for, without storing it: count, sample, and the count at every node; estimated within a
    fraction of a second where there are many customers.
    """
    return queries.preview(queries.checked(body.rule), now=clock.now(), sample=body.sample, exact=body.exact)


@router.get("/segments/graph", response=GraphOut, auth=ApiAuth("segments:read"))
def segment_graph(request: HttpRequest) -> queries.Graph:
    """Which segment reads and refers to what, and who uses it."""
    return queries.graph()


@router.get("/segments", response=SegmentsOut, auth=ApiAuth("segments:read"))
def list_segments(request: HttpRequest, query: Query[SegmentsQuery]) -> dict[str, Any]:
    """All segments in the order of their keys, page by page."""
    page = list(Segment.objects.filter(key__gt=query.after).order_by("key")[: query.limit])
    following = page[-1].key if len(page) == query.limit else None
    return {"segments": [_shown(one) for one in page], "next": following}


@router.put("/segments/{key}", response={200: SegmentOut, 201: SegmentOut}, auth=ApiAuth("segments:write"))
def put_segment(request: HttpRequest, key: str, body: SegmentIn) -> Status[dict[str, Any]]:
    """Create the segment (201) or change it (200)."""
    # Bounds first: what follows walks the rule recursively.
    queries.parsed(body.rule)
    document = body.model_dump(exclude_none=True, exclude_unset=True, exclude=SHOWN_ONLY)
    change = put_document("segment", key, document, now=clock.now())
    return Status(201 if change.verdict == "created" else 200, _shown(segment_of(key)))


@router.get("/segments/{key}", response=SegmentOut, auth=ApiAuth("segments:read"))
def get_segment(request: HttpRequest, key: str) -> dict[str, Any]:
    """The definition and the state of its members."""
    return _shown(segment_of(key))


@router.delete("/segments/{key}", response={204: None}, auth=ApiAuth("segments:write"))
def remove_segment(request: HttpRequest, key: str) -> Status[None]:
    """Delete the segment with its members and its history; refused while a flow or another segment uses it."""
    segment_of(key)
    delete_segment(key=key)
    return Status(204, None)


@router.get("/segments/{key}/members", response=MembersOut, auth=ApiAuth("segments:read"))
def list_members(request: HttpRequest, key: str, query: Query[MembersQuery]) -> dict[str, Any]:
    """The stored members of now, or of an instant in the past, page by page."""
    segment = segment_of(key)
    if query.at is not None:
        found = history.members_at(segment.id, query.at, after=query.after, limit=query.limit)
        count = history.size_at(segment.id, query.at) if not query.after else None
        following = found[-1].customer_id if len(found) == query.limit else None
        return {"members": found, "count": count, "next": following}
    page = queries.members(segment.id, after=query.after, limit=query.limit)
    following = page[-1].customer_id if len(page) == query.limit else None
    return {"members": page, "count": segment.member_count, "next": following}


@router.get("/segments/{key}/explain/{external_id}", response=ExplanationOut, auth=ApiAuth("segments:read"))
def explain_member(request: HttpRequest, key: str, external_id: str) -> dict[str, Any]:
    """Why this customer is in the segment or not: verdict and value at every node."""
    segment = segment_of(key)
    customer_id = customers.resolve([external_id])[0]
    if customer_id is None:
        raise Http404(f"No customer has the external id {external_id!r}.")
    found = queries.explain(tree.parse(segment.rule), customer_id, now=clock.now(), segment_id=segment.id)
    return {
        "segment": key,
        "customer": external_id,
        "matches": found.matches,
        "member_since": found.member_since,
        "nodes": found.nodes,
    }


def _shown(segment: Segment) -> dict[str, Any]:
    document = queries.document_of(segment)
    return {
        "key": segment.key,
        "name": segment.name,
        "description": segment.description,
        "rule": document["rule"],
        "member_count": segment.member_count,
        "built_at": segment.built_at,
        "build_ms": segment.build_ms,
        "rebuild_at": segment.rebuild_at,
        "problem": segment.problem,
    }
